#include "controlplane/daemon/group_list.h"
#include "controlplane/json_text.h"

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "ipc/base/bytes.h"
#include "ipc/base/ids.h"

namespace phalanx::controlplane {
namespace {

/// Reads from the front; empty once it ran out.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <class T>
  std::optional<T> number() {
    if (left_.size() < sizeof(T)) return std::nullopt;
    const T value = load_le<T>(left_.data());
    left_ = left_.subspan(sizeof(T));
    return value;
  }
  std::optional<std::string> text(std::size_t length) {
    if (left_.size() < length) return std::nullopt;
    std::string value(reinterpret_cast<const char*>(left_.data()), length);
    left_ = left_.subspan(length);
    return value;
  }
  [[nodiscard]] bool at_end() const noexcept { return left_.empty(); }

 private:
  std::span<const std::byte> left_;
};

std::string hex(GroupId id) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016" PRIx64, id);
  return text.data();
}

/// The JSON library throws at text that is not UTF-8: pass it through its own replacement.
std::string readable(const std::string& name) {
  const std::string quoted = json_text(name);
  return nlohmann::json::parse(quoted).get<std::string>();
}

}  // namespace

std::optional<nlohmann::json> groups_json(std::span<const std::byte> list) {
  Reader reader(list);
  const auto count = reader.number<std::uint32_t>();
  if (!count) return std::nullopt;
  nlohmann::json groups = nlohmann::json::array();
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto id = reader.number<std::uint64_t>();
    const auto lane = reader.number<std::uint16_t>();
    const auto length = reader.number<std::uint8_t>();
    if (!id || !lane || !length) return std::nullopt;
    const auto name = reader.text(*length);
    const auto members = reader.number<std::uint32_t>();
    if (!name || !members) return std::nullopt;
    nlohmann::json list_of_members = nlohmann::json::array();
    for (std::uint32_t m = 0; m < *members; ++m) {
      const auto node = reader.number<std::uint32_t>();
      const auto client = reader.number<std::uint32_t>();
      const auto process = reader.number<std::uint32_t>();
      if (!node || !client || !process) return std::nullopt;
      list_of_members.push_back({{"node", *node}, {"client", *client}, {"pid", *process}});
    }
    groups.push_back({{"id", hex(*id)},
                      {"name", readable(*name)},
                      {"lane", *lane},
                      {"members", std::move(list_of_members)}});
  }
  if (!reader.at_end()) return std::nullopt;
  return groups;
}

}  // namespace phalanx::controlplane
