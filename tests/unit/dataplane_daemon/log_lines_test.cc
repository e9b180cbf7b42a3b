#include "dataplane/daemon/log_lines.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <string>

namespace phalanx::dataplane {
namespace {

class Lines : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    control_plane.reset(ends[0]);
    data_plane.reset(ends[1]);
    auto made = LogLines::install();
    ASSERT_TRUE(made) << made.error().text();
    lines = *made;
  }
  void TearDown() override { spdlog::set_default_logger(std::make_shared<spdlog::logger>("")); }

  [[nodiscard]] bool rings() const {
    pollfd wait{.fd = lines->fd(), .events = POLLIN, .revents = 0};
    return poll(&wait, 1, 0) == 1;
  }
  std::string next() {
    const auto line = shm::receive_log_line(control_plane.get());
    return line && *line ? (*line)->text : "none";
  }

  Fd control_plane, data_plane;
  std::shared_ptr<LogLines> lines;
};

TEST_F(Lines, WaitForAControlPlane) {
  spdlog::info("started node={}", 3);
  spdlog::warn("not pinned");
  EXPECT_TRUE(rings());
  EXPECT_EQ(next(), "none");

  lines->forward(data_plane.get());

  EXPECT_FALSE(rings());
  EXPECT_EQ(next(), "started node=3");
  EXPECT_EQ(next(), "not pinned");
  EXPECT_EQ(next(), "none");
}

TEST_F(Lines, TheOldestAreLostWhenTooManyWait) {
  for (std::size_t i = 0; i < LogLines::kWaitingMost + 3; ++i) spdlog::info("line {}", i);

  lines->forward(data_plane.get());

  EXPECT_EQ(next(), "line 3");
  std::string last;
  for (std::string text = next(); text != "none"; text = next()) last = text;
  EXPECT_EQ(last, "line 66 lost_before=1");
}

TEST_F(Lines, AHangUpKeepsThemForTheNext) {
  control_plane.reset();
  spdlog::info("still here");
  lines->forward(data_plane.get());
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  control_plane.reset(ends[0]);
  data_plane.reset(ends[1]);

  lines->forward(data_plane.get());

  EXPECT_EQ(next(), "still here");
}

TEST_F(Lines, WhatNobodyTookGoesToStandardError) {
  spdlog::error("alone");
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(""));

  testing::internal::CaptureStderr();
  lines.reset();

  EXPECT_EQ(testing::internal::GetCapturedStderr(), "dataplane: alone\n");
}

}  // namespace
}  // namespace phalanx::dataplane
