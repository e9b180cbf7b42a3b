#include "controlplane/daemon/group_list.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ipc/base/bytes.h"

namespace phalanx::controlplane {
namespace {

template <class T>
void put(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof value);
  store_le<T>(out.data() + out.size() - sizeof value, value);
}

std::vector<std::byte> one_group(const std::string& name) {
  std::vector<std::byte> list;
  put<std::uint32_t>(list, 1);
  put<std::uint64_t>(list, 0x1122334455667788);
  put<std::uint16_t>(list, 2);
  put<std::uint8_t>(list, static_cast<std::uint8_t>(name.size()));
  for (const char c : name) list.push_back(static_cast<std::byte>(c));
  put<std::uint32_t>(list, 1);
  put<std::uint32_t>(list, 3);
  put<std::uint32_t>(list, 9);
  put<std::uint32_t>(list, 1234);
  return list;
}

TEST(GroupList, BecomesJson) {
  const auto groups = groups_json(one_group("words"));

  ASSERT_TRUE(groups);
  EXPECT_EQ(*groups, nlohmann::json::parse(R"([{"id":"1122334455667788","name":"words","lane":2,
      "members":[{"node":3,"client":9,"pid":1234}]}])"));
}

TEST(GroupList, RefusesEveryTruncationAndTrailingBytes) {
  auto list = one_group("words");
  for (std::size_t length = 0; length < list.size(); ++length) {
    EXPECT_FALSE(groups_json(std::span(list).first(length))) << length;
  }
  list.push_back(std::byte{0});
  EXPECT_FALSE(groups_json(list));
}

TEST(GroupList, ReplacesWhatIsNotTextInAName) {
  const auto groups = groups_json(one_group("a\xff"));

  ASSERT_TRUE(groups);
  EXPECT_NO_THROW((void)groups->dump());
}

}  // namespace
}  // namespace phalanx::controlplane
