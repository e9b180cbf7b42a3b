#include "controlplane/daemon/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace phalanx::controlplane {
namespace {

spdlog::level::level_enum level_of(config::LogLevel level) noexcept {
  switch (level) {
    case config::LogLevel::Error:
      return spdlog::level::err;
    case config::LogLevel::Warn:
      return spdlog::level::warn;
    case config::LogLevel::Info:
      return spdlog::level::info;
    case config::LogLevel::Debug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

}  // namespace

void set_up_logging(config::LogLevel level) {
  spdlog::set_level(level_of(level));
  spdlog::flush_on(spdlog::level::debug);
}

spdlog::logger& log(std::string_view name) {
  const std::string key(name);
  std::shared_ptr<spdlog::logger> logger = spdlog::get(key);
  if (logger == nullptr) {
    logger = spdlog::stderr_logger_st(key);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f %-5l %n: %v");
  }
  return *logger;
}

bool LogLimit::pass(std::uint64_t subject, TimeNs now, std::uint64_t& suppressed) {
  if (entries_.size() >= kSubjectsMax && !entries_.contains(subject)) entries_.clear();
  Entry& entry = entries_[subject];
  if (now < entry.next) {
    ++entry.suppressed;
    return false;
  }
  suppressed = entry.suppressed;
  entry = {.next = now + interval_, .suppressed = 0};
  return true;
}

}  // namespace phalanx::controlplane
