#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/wire/secret.h"

namespace phalanx::wire {

/// The secret that all nodes of a cluster share. Whoever holds it can be any member.
struct ClusterKey {
  std::uint32_t id = 0;  ///< Non-zero, grows with every rotation.
  Secret secret;

  [[nodiscard]] ClusterKey clone() const noexcept { return {id, secret.clone()}; }
};

/// A key file is text, 0600, and belongs to root or to the user who reads it:
///   phalanx-cluster-key 1
///   id 1
///   key 64 hexadecimal digits
/// Empty lines and lines that start with # are skipped. Errors name path and line.
[[nodiscard]] Expected<ClusterKey, Error> load_cluster_key(const std::string& path);
[[nodiscard]] Expected<ClusterKey, Error> parse_cluster_key(std::string_view text,
                                                            std::string_view path);
/// The file's text. The caller creates the file with mode 0600 and wipes the string.
[[nodiscard]] std::string format_cluster_key(const ClusterKey& key);
/// A key of fresh random bytes from the operating system.
[[nodiscard]] Expected<ClusterKey, Error> new_cluster_key(std::uint32_t id);
/// Stands in for a key in `insecure` clusters: made from the cluster's name, so no secret at all.
[[nodiscard]] ClusterKey insecure_cluster_key(std::string_view cluster_name);

/// 16 hexadecimal digits that name a key and tell nothing about it: first 8 bytes of HKDF, info
/// "name". Two nodes compare keys by it.
[[nodiscard]] std::string fingerprint(const ClusterKey& key);

/// A key that one sender seals with, and the four bytes that name it in frame headers.
struct DerivedKey {
  Secret secret;
  std::uint32_t tag = 0;
};

/// For the data frames of `sender` in `view`. HKDF-SHA256; deploy/doc/wire.md has the bytes.
[[nodiscard]] DerivedKey derive_view_key(const ClusterKey& key, const ViewId& view,
                                         const Member& sender);
/// For the control frames of `sender`, in and between all views.
[[nodiscard]] DerivedKey derive_boot_key(const ClusterKey& key, const Member& sender);

}  // namespace phalanx::wire
