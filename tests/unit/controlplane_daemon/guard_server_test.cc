#include "controlplane/daemon/guard_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "ipc/include/phalanx/guard.h"
#include "ipc/include/phalanx/ipc_client.h"
#include "ipc/shm/guard_protocol.h"
#include "tests/unit/controlplane_daemon/service_bench.h"

namespace phalanx::controlplane {
namespace {

using shm::GuardCall;

class GuardServerTest : public ServiceBench {
 protected:
  GuardServerTest() {
    setenv("PHX_RUNTIME_DIR", runtime().c_str(), 1);
    serve_with(GuardServer::kPatience);
  }
  ~GuardServerTest() override {
    finish([this] { server_.reset(); });
    unsetenv("PHX_RUNTIME_DIR");
  }

  void serve_with(TimeNs patience) {
    in_loop([&] {
      server_.reset();
      server_.emplace(loop(), listen("guard.sock"), security::Acl(geteuid(), {}, {}), patience);
    });
    serve();
  }
  static phx_guard* guard(const char* name) {
    phx_guard* made = nullptr;
    EXPECT_EQ(phx_guard_open("n1", name, &made), PHX_OK);
    return made;
  }
  static std::uint32_t question_of(phx_guard* guard) {
    pollfd waiting{.fd = phx_guard_fd(guard), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&waiting, 1, 10'000), 1);
    std::uint32_t question = 0;
    EXPECT_EQ(phx_guard_next(guard, &question), PHX_OK);
    return question;
  }
  static phx_ipc_handle connect_raw() {
    const phx_ipc_options options{.struct_bytes = sizeof options, .instance = "n1"};
    phx_ipc_handle handle = 0;
    EXPECT_EQ(phx_ipc_connect("guard", shm::kGuardService, &options, &handle), PHX_OK);
    return handle;
  }
  bool ask() {
    bool asked = false;
    in_loop([&] {
      if (answered_) answered_.reset();
      asked = server_->ask([this](const auto& vetoes) { answered_ = vetoes; });
    });
    return asked;
  }
  bool is_answered() {
    bool answered = false;
    in_loop([&] { answered = answered_.has_value(); });
    return answered;
  }

  std::optional<GuardServer> server_;
  std::optional<std::vector<GuardServer::Veto>> answered_;
};

TEST_F(GuardServerTest, NobodyToAskIsNoVeto) {
  EXPECT_TRUE(ask());

  ASSERT_TRUE(is_answered());
  EXPECT_TRUE(answered_->empty());
}

TEST_F(GuardServerTest, NamesWhoSaysNoAndWhy) {
  phx_guard* one = guard("one");
  phx_guard* two = guard("tw\no");

  EXPECT_TRUE(ask());
  const std::uint32_t question = question_of(one);
  EXPECT_EQ(question_of(two), question);
  EXPECT_EQ(phx_guard_answer(one, question, 1, nullptr), PHX_OK);
  EXPECT_FALSE(is_answered());
  EXPECT_EQ(phx_guard_answer(two, question, 0, "bu\x1bsy"), PHX_OK);

  ASSERT_TRUE(is_answered());
  ASSERT_EQ(answered_->size(), 1u);
  EXPECT_EQ(answered_->front().name, "tw?o");
  EXPECT_EQ(answered_->front().pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(answered_->front().reason, "bu?sy");
  std::uint32_t none = 0;
  EXPECT_EQ(phx_guard_next(one, &none), PHX_TRY_AGAIN);
  phx_guard_close(one);
  phx_guard_close(two);
}

TEST_F(GuardServerTest, AGuardThatGoesHasNoSay) {
  phx_guard* one = guard("one");

  EXPECT_TRUE(ask());
  EXPECT_FALSE(is_answered());
  phx_guard_close(one);

  EXPECT_TRUE(eventually([this] { return is_answered(); }));
  EXPECT_TRUE(answered_->empty());
}

TEST_F(GuardServerTest, AnAnswerToAnotherQuestionIsNone) {
  phx_guard* one = guard("one");

  EXPECT_TRUE(ask());
  EXPECT_EQ(phx_guard_answer(one, question_of(one) + 1, 1, nullptr), PHX_OK);

  EXPECT_FALSE(is_answered());
  EXPECT_FALSE(ask()) << "one question at a time";
  phx_guard_close(one);
}

// A ring full of questions would have it cut off, and then the node might leave.
TEST_F(GuardServerTest, OneThatReadsNothingGoesOnToVeto) {
  serve_with(kMillisecond);
  phx_guard* one = guard("one");

  for (unsigned i = 0; i < 3 * GuardServer::kUnansweredMax; ++i) {
    ASSERT_TRUE(ask());
    ASSERT_TRUE(eventually([this] { return is_answered(); }));
    ASSERT_EQ(answered_->size(), 1u);
    EXPECT_EQ(answered_->front().reason, i < GuardServer::kUnansweredMax
                                             ? "it does not answer"
                                             : "it does not answer what it is asked");
  }

  std::uint32_t question = 0;
  for (unsigned i = 0; i < GuardServer::kUnansweredMax; ++i)
    EXPECT_EQ(phx_guard_next(one, &question), PHX_OK);
  EXPECT_EQ(phx_guard_next(one, &question), PHX_TRY_AGAIN);
  EXPECT_EQ(phx_guard_answer(one, question, 1, nullptr), PHX_OK);
  ASSERT_TRUE(ask());
  EXPECT_GT(question_of(one), question) << "it is asked again";
  phx_guard_close(one);
}

TEST_F(GuardServerTest, WhoSaysWhatNoLibrarySaysIsCutOff) {
  const auto says = [](phx_ipc_handle h, GuardCall call, const void* data, std::size_t bytes) {
    return phx_ipc_call(h, static_cast<std::uint32_t>(call), data, bytes, nullptr, 0, nullptr,
                        5000);
  };
  const std::string endless(shm::kGuardTextBytesMax + 1, 'x');
  const shm::GuardAnswer perhaps{.question = 1, .agrees = 2};

  phx_ipc_handle h = connect_raw();
  EXPECT_EQ(says(h, GuardCall::Enter, "", 0), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  h = connect_raw();
  EXPECT_EQ(says(h, GuardCall::Enter, endless.data(), endless.size()), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  h = connect_raw();
  EXPECT_EQ(says(h, GuardCall::Enter, "twice", 5), PHX_OK);
  EXPECT_EQ(says(h, GuardCall::Enter, "again", 5), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  h = connect_raw();
  EXPECT_EQ(says(h, GuardCall::Enter, "vague", 5), PHX_OK);
  EXPECT_EQ(says(h, GuardCall::Answer, &perhaps, sizeof perhaps), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  h = connect_raw();
  const shm::GuardAnswer early{.question = 0, .agrees = 1};
  EXPECT_EQ(says(h, GuardCall::Answer, &early, sizeof early), PHX_EVICTED) << "it has no name";
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST_F(GuardServerTest, IsBoundedInGuards) {
  std::vector<phx_guard*> guards;
  for (unsigned i = 0; i < GuardServer::kGuardsMax; ++i) guards.push_back(guard("many"));

  phx_guard* late = nullptr;
  EXPECT_EQ(phx_guard_open("n1", "late", &late), PHX_LIMIT);

  EXPECT_EQ(late, nullptr);
  for (phx_guard* one : guards) phx_guard_close(one);
}

TEST_F(GuardServerTest, TheEndOfTheDaemonIsTold) {
  phx_guard* one = guard("one");
  EXPECT_TRUE(ask());
  finish([this] { server_.reset(); });

  EXPECT_FALSE(answered_) << "whoever asked is gone, too";
  std::uint32_t question = 0;
  EXPECT_EQ(phx_guard_next(one, &question), PHX_OK) << "what came before";
  EXPECT_EQ(phx_guard_answer(one, question, 1, nullptr), PHX_DISCONNECTED);
  EXPECT_EQ(phx_guard_next(one, &question), PHX_DISCONNECTED);
  phx_guard_close(one);
  phx_guard* none = nullptr;
  EXPECT_EQ(phx_guard_open("n1", "late", &none), PHX_NOT_RUNNING);
}

}  // namespace
}  // namespace phalanx::controlplane
