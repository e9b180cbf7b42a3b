#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/value.h"

namespace phalanx::config {

/// One key of the file: the only place that knows its type, unit, range, default and meaning.
/// Reading, checking, `config show`, `config explain`, the sample file and the cluster hash are
/// all driven by this table.
struct Key {
  std::string_view name;  ///< "lane.log": the table, then the key.
  Kind kind = Kind::Integer;
  std::string_view fallback;  ///< The default, as in the file but without quotes.
  std::int64_t min = 0;       ///< Of a number, in its base unit.
  std::int64_t max = 0;
  bool power_of_two = false;
  std::string_view choices;   ///< "evict|throttle".
  bool cluster_part = false;  ///< Must be equal on all nodes: see cluster_hash().
  bool reloadable = false;    ///< Takes effect without a restart.
  std::string_view text;      ///< What it does and what follows from changing it.
  void (*store)(Config& config, const Value& value) = nullptr;
  Value (*read)(const Config& config) = nullptr;
};

/// All keys but [[cluster.nodes]], in the order of the sample file.
[[nodiscard]] std::span<const Key> schema() noexcept;

/// The part of schema() that is [quorum].
[[nodiscard]] std::span<const Key> quorum_keys() noexcept;

/// The part of schema() that is [transport], verbs.*.
[[nodiscard]] std::span<const Key> verbs_keys() noexcept;

/// The part of schema() that is [transport], second.*.
[[nodiscard]] std::span<const Key> second_keys() noexcept;

/// The part of schema() that is [worker].
[[nodiscard]] std::span<const Key> worker_keys() noexcept;

/// The part of schema() that is [log].
[[nodiscard]] std::span<const Key> log_keys() noexcept;

/// Those of [client] for the log that several clients read.
[[nodiscard]] std::span<const Key> client_keys() noexcept;

/// The key of that name, or nullptr.
[[nodiscard]] const Key* find_key(std::string_view name) noexcept;

/// One key of a [[cluster.nodes]] entry.
struct NodeKey {
  std::string_view name;
  std::string_view allowed;
  bool required = false;
  std::string_view text;
};
[[nodiscard]] std::span<const NodeKey> node_schema() noexcept;

/// [lane.groups], a table whose keys are names of groups and whose values are their lanes.
inline constexpr std::string_view kLaneGroups = "lane.groups";
inline constexpr std::size_t kLaneGroupsMax = 256;  ///< ipc/shm/lane_map.h has room for as many.
[[nodiscard]] std::string lane_groups_allowed();
[[nodiscard]] std::string_view lane_groups_text() noexcept;

/// "64KiB to 64MiB, a power of two", "evict | throttle", "a numeric address and a port: ...".
[[nodiscard]] std::string allowed_text(const Key& key);

/// The default as it would stand in the file: "16MiB" in quotes, a number without.
[[nodiscard]] std::string default_text(const Key& key);

/// "a size", "a time", "one word": for the heading of `config explain`.
[[nodiscard]] std::string_view kind_text(Kind kind) noexcept;

}  // namespace phalanx::config
