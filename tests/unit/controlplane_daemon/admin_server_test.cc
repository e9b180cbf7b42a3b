#include "controlplane/daemon/admin_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "controlplane/admin_protocol.h"
#include "controlplane/cli/admin_client.h"
#include "ipc/include/phalanx/ipc_client.h"
#include "tests/unit/controlplane_daemon/service_bench.h"

namespace phalanx::controlplane {
namespace {

class AdminServerTest : public ServiceBench {
 protected:
  AdminServerTest() {
    server_.emplace(loop(), listen("admin.sock"),
                    [this](const nlohmann::json& request, const AdminServer::Peer& peer,
                           AdminServer::Reply reply) {
                      peer_ = peer;
                      if (request.value("command", "") == "later") {
                        held_.push_back(std::move(reply));
                      } else if (request.contains("bytes")) {
                        reply({{"long", std::string(request["bytes"].get<std::size_t>(), 'x')}});
                      } else {
                        reply({{"echo", request}});
                      }
                    });
    serve();
  }
  ~AdminServerTest() override {
    finish([this] { server_.reset(); });
  }

  [[nodiscard]] std::string directory() const { return runtime() + "/n1"; }
  Expected<nlohmann::json, Error> ask(const nlohmann::json& request) {
    return cli::ask(directory(), request);
  }
  phx_status try_connect(phx_ipc_handle& handle) {
    const phx_ipc_options options{
        .struct_bytes = sizeof options, .runtime_directory = runtime().c_str(), .instance = "n1"};
    return phx_ipc_connect("admin", kAdminService, &options, &handle);
  }
  phx_ipc_handle connect_raw() {
    phx_ipc_handle handle = 0;
    EXPECT_EQ(try_connect(handle), PHX_OK);
    return handle;
  }
  /// What is asked without the command line: the status, and the answer's text when PHX_OK.
  static phx_status call(phx_ipc_handle handle, AdminCall call, const void* request,
                         std::size_t bytes, std::string* text = nullptr, std::size_t most = 4096) {
    std::string reply(most, '\0');
    std::size_t got = 0;
    const phx_status status = phx_ipc_call(handle, static_cast<std::uint32_t>(call), request, bytes,
                                           reply.data(), reply.size(), &got, 5000);
    if (text != nullptr && status == PHX_OK) *text = reply.substr(0, got);
    return status;
  }

  std::optional<AdminServer> server_;
  std::vector<AdminServer::Reply> held_;
  AdminServer::Peer peer_;
};

TEST_F(AdminServerTest, AnswersOneObjectWithOneObject) {
  const auto answer = ask({{"command", "status"}});

  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, nlohmann::json::parse(R"({"echo":{"command":"status"}})"));
  EXPECT_EQ(peer_.uid, getuid());
  EXPECT_EQ(peer_.pid, static_cast<std::uint32_t>(getpid()));
}

TEST_F(AdminServerTest, SaysWhatIsWrongWithRubbish) {
  const phx_ipc_handle h = connect_raw();

  for (const std::string rubbish : {"", "{", "[]", "7", "\xff\xfe", "{\"a\":1}}"}) {
    std::string text;
    ASSERT_EQ(call(h, AdminCall::Ask, rubbish.data(), rubbish.size(), &text), PHX_OK);
    const auto answer = nlohmann::json::parse(text.substr(sizeof(AdminAnswer)), nullptr, false);
    EXPECT_EQ(answer["error"]["code"], 2) << rubbish;
  }
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// Longer than a reply may be: it comes in pieces.
TEST_F(AdminServerTest, AnswersOfAnyLengthUpToTheLimit) {
  for (const std::size_t bytes : {std::size_t{0}, kAdminMessageBytesMax - sizeof(AdminAnswer) - 11,
                                  kAdminMessageBytesMax - sizeof(AdminAnswer) - 10,
                                  3 * kAdminMessageBytesMax, kAdminAnswerBytesMax - 11}) {
    const auto answer = ask({{"bytes", bytes}});
    ASSERT_TRUE(answer) << bytes << answer.error().observed;
    EXPECT_EQ((*answer)["long"].get<std::string>().size(), bytes);
  }
  const auto too_long = ask({{"bytes", kAdminAnswerBytesMax}});
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().observed, "the answer is too long");
}

TEST_F(AdminServerTest, KeepsTheRestOfOneAnswerUntilItIsFetched) {
  const phx_ipc_handle h = connect_raw();
  const std::string request = R"({"bytes":100})";
  std::string text;
  ASSERT_EQ(call(h, AdminCall::Ask, request.data(), request.size(), &text, 50), PHX_OK);
  AdminAnswer head;
  std::memcpy(&head, text.data(), sizeof head);
  EXPECT_EQ(head.bytes, 111u);
  const AdminMore next{.number = head.number, .offset = 34};
  const AdminMore beyond{.number = head.number, .offset = 111};
  const AdminMore another{.number = head.number + 1, .offset = 34};

  EXPECT_EQ(call(h, AdminCall::More, &beyond, sizeof beyond), PHX_NOT_FOUND);
  EXPECT_EQ(call(h, AdminCall::More, &another, sizeof another), PHX_NOT_FOUND);
  EXPECT_EQ(call(h, AdminCall::More, &next, sizeof next, &text, 70), PHX_OK);
  EXPECT_EQ(text, std::string(70, 'x'));
  EXPECT_EQ(call(h, AdminCall::More, &next, sizeof next, &text), PHX_OK);
  EXPECT_EQ(text, std::string(75, 'x') + "\"}");
  EXPECT_EQ(call(h, AdminCall::More, &next, sizeof next), PHX_NOT_FOUND) << "it was fetched";
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST_F(AdminServerTest, MayAnswerLaterSeveralAtOnceAndToAPeerThatHasGone) {
  const phx_ipc_handle h = connect_raw();
  const std::string request = R"({"command":"later"})";
  std::vector<std::string> texts(2);
  std::vector<std::thread> asking;
  for (std::string& text : texts) {
    asking.emplace_back(
        [&] { EXPECT_EQ(call(h, AdminCall::Ask, request.data(), request.size(), &text), PHX_OK); });
  }
  const auto held = [this] {
    std::size_t count = 0;
    in_loop([&] { count = held_.size(); });
    return count;
  };
  EXPECT_TRUE(eventually([&] { return held() == 2; }));

  in_loop([this] {
    for (const auto& reply : held_) reply({{"done", true}});
    held_[0]({{"done", false}});  // It was answered: dropped.
  });
  for (std::thread& thread : asking) thread.join();
  for (const std::string& text : texts)
    EXPECT_EQ(text.substr(sizeof(AdminAnswer)), R"({"done":true})");
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);

  in_loop([this] { held_[1]({{"done", true}}); });
  finish([this] { server_.reset(); });
  held_[1]({{"done", true}});  // The server is gone, too.
}

TEST_F(AdminServerTest, CutsOffWhoSendsWhatNoLibrarySends) {
  phx_ipc_handle h = connect_raw();
  EXPECT_EQ(call(h, AdminCall::More, "short", 5), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  h = connect_raw();
  EXPECT_EQ(call(h, AdminCall::Ask, "{}", 2, nullptr, sizeof(AdminAnswer) - 1), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  h = connect_raw();
  const iovec part{const_cast<char*>("{}"), 2};
  EXPECT_EQ(phx_ipc_post(h, 0, &part, 1, 5000), PHX_OK);
  phx_ipc_event event;
  EXPECT_EQ(phx_ipc_get(h, &event, 5000), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST_F(AdminServerTest, BoundsItsClients) {
  std::vector<phx_ipc_handle> handles;
  for (unsigned i = 0; i < AdminServer::kClientsMax; ++i) handles.push_back(connect_raw());

  phx_ipc_handle one_too_many = 0;
  EXPECT_EQ(try_connect(one_too_many), PHX_LIMIT);
  const auto refused = ask({{"command", "status"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ExitCode::Failed);

  for (const phx_ipc_handle h : handles) EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST_F(AdminServerTest, WhoIsNotThereIsNotRunning) {
  finish([this] { server_.reset(); });

  const auto answer = ask({{"command", "status"}});

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ExitCode::NotRunning);
}

TEST_F(AdminServerTest, AnAnswerThatDoesNotComeInTimeIsATimeOut) {
  const auto answer = cli::ask(directory(), {{"command", "later"}}, 50 * kMillisecond);

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ExitCode::TimeOut);
}

}  // namespace
}  // namespace phalanx::controlplane
