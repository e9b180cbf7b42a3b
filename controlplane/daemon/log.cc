#include "controlplane/daemon/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <utility>

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

/// The text of a line. Whatever got into it, it stays one line: control bytes stand as \xHH.
class OneLine : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const char c : message.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte != 0x7F) {
        out.push_back(c);
        continue;
      }
      for (const char written : {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]})
        out.push_back(written);
    }
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<OneLine>();
  }
};

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
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<OneLine>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%f %-5l %n: %*");
    logger->set_formatter(std::move(formatter));
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
