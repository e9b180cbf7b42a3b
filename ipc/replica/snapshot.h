#pragma once

#include <cstdint>

namespace phalanx::replica {

/// What a transfer carries: u32 version of the application's part, u32 kSnapshotFormat, key (three
/// u64), origins, u32 rows, each u32 node, u32 client, u64 origin, key, u32 flags; u64 settled
/// bytes and u64 bytes of history, history; the rest is the application's.
inline constexpr std::uint32_t kSnapshotFormat = 1;

inline constexpr unsigned kRowLive = 1;
inline constexpr unsigned kRowHello = 2;
inline constexpr unsigned kRowHasState = 4;
inline constexpr unsigned kRowShared = 8;
inline constexpr unsigned kRowFailed = 16;
inline constexpr unsigned kRowTaking = 32;
inline constexpr std::size_t kRowBytes = 44;

}  // namespace phalanx::replica
