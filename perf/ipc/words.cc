#include <array>
#include <cstdio>
#include <utility>

#include "perf/ipc/shape.h"

namespace phalanx::perf {
namespace {

template <class Value, std::size_t kCount>
bool look_up(const std::array<std::pair<const char*, Value>, kCount>& words,
             const std::string& word, Value& out) {
  for (const auto& [name, value] : words) {
    if (word != name) continue;
    out = value;
    return true;
  }
  return false;
}

template <class Value, std::size_t kCount>
const char* name_of(const std::array<std::pair<const char*, Value>, kCount>& words, Value value) {
  for (const auto& [name, each] : words) {
    if (each == value) return name;
  }
  return "?";
}

constexpr std::array kModes{
    std::pair{"rr", IpcMode::RequestReply}, std::pair{"oneway", IpcMode::OneWay},
    std::pair{"events", IpcMode::Events}, std::pair{"fanout", IpcMode::Fanout}};
constexpr std::array kWaits{std::pair{"poll", IpcWait::Poll}, std::pair{"yield", IpcWait::Yield},
                            std::pair{"adaptive", IpcWait::Adaptive},
                            std::pair{"block", IpcWait::Block}};
constexpr std::array kPlacements{std::pair{"same-core", IpcPlacement::SameCore},
                                 std::pair{"two-cores", IpcPlacement::TwoCores},
                                 std::pair{"free", IpcPlacement::Free}};

}  // namespace

bool read_mode(const std::string& word, IpcMode& out) { return look_up(kModes, word, out); }
bool read_wait(const std::string& word, IpcWait& out) { return look_up(kWaits, word, out); }
bool read_placement(const std::string& word, IpcPlacement& out) {
  return look_up(kPlacements, word, out);
}

std::string to_json(const IpcLibrary& library, const IpcShape& shape, const IpcResult& r) {
  char text[512];
  std::snprintf(
      text, sizeof text,
      "{\"version\": 1, \"library\": \"%s\", \"mode\": \"%s\", \"wait\": \"%s\", "
      "\"placement\": \"%s\", \"clients\": %u, \"bytes\": %zu, \"batch\": %zu, \"in_place\": %s, "
      "\"per_second\": %.0f, \"p50_ns\": %llu, \"p99_ns\": %llu, \"max_ns\": %llu, "
      "\"server_cpu_us\": %.4f, \"client_cpu_us\": %.4f}",
      library.name, name_of(kModes, shape.mode), name_of(kWaits, shape.wait),
      name_of(kPlacements, shape.placement), shape.clients, shape.bytes, shape.batch,
      shape.in_place ? "true" : "false", r.per_second, static_cast<unsigned long long>(r.p50_ns),
      static_cast<unsigned long long>(r.p99_ns), static_cast<unsigned long long>(r.max_ns),
      r.server_cpu_us, r.client_cpu_us);
  return text;
}

}  // namespace phalanx::perf
