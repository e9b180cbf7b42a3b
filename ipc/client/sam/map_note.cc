#include "ipc/client/sam/map_note.h"

#include <cstdio>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace phalanx::client::sam {
namespace {

constexpr int kTimeoutMs = 50;
/// How often daemons that are not there are looked for.
constexpr TimeNs kTryInterval = 250 * kMillisecond;

struct Key {
  char text[64];
  Key(pid_t pid, const char* name) noexcept {
    std::snprintf(text, sizeof text, "resources.process.%d.%s", static_cast<int>(pid), name);
  }
};

std::uint64_t wall_clock_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

bool MapNote::open(const Instance& instance, TimeNs now) noexcept {
  if (map_ != 0) return true;
  if (now < next_try_) return false;
  next_try_ = now + kTryInterval;
  phx_map_options options{};
  options.struct_bytes = sizeof options;
  options.instance = instance.daemons;
  options.timeout_ms = kTimeoutMs;
  return phx_map_open(&options, &map_) == PHX_OK;
}

void MapNote::close() noexcept {
  if (map_ != 0) (void)phx_map_close(map_);
  map_ = 0;
}

bool MapNote::set(pid_t pid, const char* name, phx_map_type type, const void* data,
                  std::size_t bytes) noexcept {
  return phx_map_set(map_, Key(pid, name).text, type, data, bytes) == PHX_OK;
}

void MapNote::say(const Instance& instance, const char* state, TimeNs now) noexcept {
  if (!wanted_ || instance.pid <= 0 || !open(instance, now)) return;
  const std::uint64_t updated = wall_clock_ns();
  const auto period = static_cast<std::uint64_t>(instance.interval_ms);
  // A daemon that is gone, or does not take them: looked for again, and all is said again.
  const bool said = set(instance.pid, "recovery", PHX_MAP_STRING, instance.recovery,
                        std::strlen(instance.recovery) + 1) &&
                    set(instance.pid, "poll_period", PHX_MAP_U64, &period, sizeof period) &&
                    set(instance.pid, "last_updated", PHX_MAP_U64, &updated, sizeof updated) &&
                    set(instance.pid, "state", PHX_MAP_STRING, state, std::strlen(state) + 1);
  if (!said) close();
  renew_at_ = now + kSecond;
}

void MapNote::renew(const Instance& instance, TimeNs now) noexcept {
  if (!wanted_ || now < renew_at_) return;
  say(instance, "running", now);
}

void MapNote::forget(pid_t pid) noexcept {
  if (map_ == 0) return;
  for (const char* name : {"recovery", "poll_period", "last_updated", "state"}) {
    const phx_status status = phx_map_delete(map_, Key(pid, name).text);
    if (status != PHX_OK && status != PHX_NOT_FOUND) return close();
  }
}

}  // namespace phalanx::client::sam
