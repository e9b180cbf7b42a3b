#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <phalanx/phalanx.hpp>
#include <span>
#include <string>
#include <vector>

#include "tests/support/fake_server.h"

namespace {

struct Server {
  Server() : server(fake_server_start(nullptr)) {}
  ~Server() { fake_server_stop(server); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  fake_server* server;
  phalanx::AttachOptions options{.runtime_directory = fake_server_directory(server)};
};

TEST(Client, SendsAndReceivesThroughItsHandlersAlsoAfterAMove) {
  Server s;
  std::string text;
  std::size_t members = 0;
  bool quorate = false;
  phalanx::Client first = phalanx::Client::attached_or_throw(
      {.message = [&](const phx_message& m) { text = phalanx::text_of(m); },
       .group_view = [&](const phx_group_view& v) { members = v.member_count; },
       .node_view = {},
       .connection = {},
       .quorum = [&](const phx_quorum_view& v) { quorate = v.quorate != 0; }},
      s.options);
  const phalanx::Client client = std::move(first);
  phx_group group = 0;
  ASSERT_EQ(client.join("words", group), PHX_OK);
  ASSERT_EQ(client.multicast(group, "hello", PHX_SAFE), PHX_OK);

  for (int i = 0; i < 100 && text.empty(); ++i) (void)client.dispatch(PHX_DISPATCH_ALL, 100);

  EXPECT_EQ(text, "hello");
  EXPECT_EQ(members, 1u);
  EXPECT_TRUE(quorate && client.quorum().quorate);
  std::vector<phx_member> list;
  EXPECT_EQ(client.members(group, list), PHX_OK);
  EXPECT_EQ(list.size(), 1u);
  EXPECT_GE(client.fd(), 0);
  EXPECT_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move): what is tested.
}

TEST(Client, BuildsMessagesInPlaceAndGetsThemInABatch) {
  Server s;
  std::vector<std::string> texts;
  phalanx::Handlers handlers;
  handlers.message = [](const phx_message&) { ADD_FAILURE() << "they come together"; };
  handlers.messages = [&](std::span<const phx_message> batch) {
    for (const phx_message& m : batch) texts.emplace_back(phalanx::text_of(m));
  };
  const phalanx::Client client = phalanx::Client::attached_or_throw(std::move(handlers), s.options);
  phx_group group = 0;
  ASSERT_EQ(client.join("words", group), PHX_OK);
  std::array<phx_room, 2> rooms{{{.bytes = 8, .data = nullptr}, {.bytes = 3, .data = nullptr}}};
  std::size_t reserved = 0;
  ASSERT_EQ(client.reserve(group, rooms, reserved), PHX_OK);
  ASSERT_EQ(reserved, 2u);
  std::memcpy(rooms[0].data, "one", rooms[0].bytes = 3);
  std::memcpy(rooms[1].data, "two", 3);
  ASSERT_EQ(client.commit(rooms), PHX_OK);
  EXPECT_EQ(client.commit(), PHX_NOT_PINNED);

  for (int i = 0; i < 100 && texts.size() < 2; ++i) (void)client.dispatch(PHX_DISPATCH_ALL, 100);

  EXPECT_EQ(texts, (std::vector<std::string>{"one", "two"}));
}

TEST(Client, DetachesAtItsEnd) {
  Server s;
  {
    phalanx::Client client;
    ASSERT_EQ(client.attach({}, s.options), PHX_OK);
    ASSERT_EQ(fake_server_clients(s.server), 1u);
  }
  for (int i = 0; i < 1000 && fake_server_clients(s.server) != 0; ++i) usleep(1000);
  EXPECT_EQ(fake_server_clients(s.server), 0u);
}

TEST(Client, SaysWhyItCannotAttach) {
  phalanx::Client client;
  EXPECT_EQ(client.attach({}, {.runtime_directory = "/nonexistent"}), PHX_NOT_RUNNING);
  EXPECT_FALSE(static_cast<bool>(client));
  EXPECT_THROW((void)phalanx::Client::attached_or_throw({}, {.runtime_directory = "/nonexistent"}),
               std::runtime_error);
}

}  // namespace
