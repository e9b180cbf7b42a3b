#include "dataplane/daemon/log_lines.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace phalanx::dataplane {
namespace {

shm::LogLine::Level level_of(spdlog::level::level_enum level) noexcept {
  if (level >= spdlog::level::err) return shm::LogLine::Level::Error;
  if (level == spdlog::level::warn) return shm::LogLine::Level::Warn;
  return level == spdlog::level::info ? shm::LogLine::Level::Info : shm::LogLine::Level::Debug;
}

}  // namespace

Expected<std::shared_ptr<LogLines>, Error> LogLines::install() {
  Fd doorbell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!doorbell) return fail(system_error("cannot make the log's doorbell", "eventfd", errno));
  std::shared_ptr<LogLines> lines(new LogLines(std::move(doorbell)));
  auto logger = std::make_shared<spdlog::logger>("dataplane", lines);
  logger->set_level(spdlog::level::debug);  // The control plane decides.
  spdlog::set_default_logger(std::move(logger));
  return lines;
}

LogLines::~LogLines() {
  for (const shm::LogLine& line : waiting_)
    std::fprintf(stderr, "dataplane: %s\n", line.text.c_str());
}

void LogLines::sink_it_(const spdlog::details::log_msg& message) {
  if (waiting_.size() == kWaitingMost) {
    waiting_.pop_front();
    ++lost_;
  }
  std::string text(message.payload.data(), message.payload.size());
  if (lost_ > 0) text += " lost_before=" + std::to_string(std::exchange(lost_, 0));
  waiting_.push_back({.level = level_of(message.level), .text = std::move(text)});
  eventfd_write(doorbell_.get(), 1);
}

void LogLines::forward(int control_socket) {
  const std::lock_guard lock(mutex_);
  eventfd_t ignored = 0;
  eventfd_read(doorbell_.get(), &ignored);
  while (!waiting_.empty() && shm::send_log_line(control_socket, waiting_.front())) {
    waiting_.pop_front();
  }
}

}  // namespace phalanx::dataplane
