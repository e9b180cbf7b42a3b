#include <array>

#include "config/schema.h"
#include "config/schema_values.h"

namespace phalanx::config {
namespace {

constexpr std::int64_t kMiB = 1024 * 1024;

const std::array kKeys{
    Key{.name = "client.shared_log",
        .kind = Kind::Size,
        .fallback = "0B",
        .min = 0,
        .max = 1024 * kMiB,
        .text =
            "Size of the log that clients which may map read-only instead of having a delivery "
            "ring each: they cost the worker as much as one. 0B: there is none. Else at least "
            "four cluster.max_message and 4MiB; raised to a power of two. Taken for each worker.",
        .store = [](Config& c, const Value& v) { c.client.shared_log = as<std::uint64_t>(v); },
        .read = [](const Config& c) { return number(c.client.shared_log); }},
    Key{.name = "client.shared_uids",
        .kind = Kind::Ids,
        .fallback = "[]",
        .reloadable = true,
        .text =
            "Users that may map client.shared_log, and so read the messages of every group that "
            "a client of it is in. Root and the daemon's own user always may.",
        .store = [](Config& c, const Value& v) { c.client.shared_uids = v.ids; },
        .read = [](const Config& c) { return Value{.ids = c.client.shared_uids}; }},
    Key{.name = "client.shared_gids",
        .kind = Kind::Ids,
        .fallback = "[]",
        .reloadable = true,
        .text = "Groups whose processes may map client.shared_log.",
        .store = [](Config& c, const Value& v) { c.client.shared_gids = v.ids; },
        .read = [](const Config& c) { return Value{.ids = c.client.shared_gids}; }},
};

}  // namespace

std::span<const Key> client_keys() noexcept { return kKeys; }

}  // namespace phalanx::config
