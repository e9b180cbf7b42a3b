#include "controlplane/daemon/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "controlplane/daemon/line_limit.h"
#include "controlplane/daemon/log_targets.h"

namespace phalanx::controlplane {
namespace {

using config::LogLevel;
using config::LogTargets;

LogLevel level_of(spdlog::level::level_enum level) noexcept {
  if (level >= spdlog::level::err) return LogLevel::Error;
  if (level == spdlog::level::warn) return LogLevel::Warn;
  return level == spdlog::level::info ? LogLevel::Info : LogLevel::Debug;
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

/// Where all lines come together and part again.
class Fanout : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  struct Rule {
    LogLevel level = LogLevel::Info;
    LogTargets targets;
    std::uint64_t lines = 0;
    std::uint64_t muted = 0;
  };

  Rule& rule(std::string_view subsystem) {
    const auto found = rules_.find(subsystem);
    return found != rules_.end() ? found->second
                                 : rules_.emplace(std::string(subsystem), Rule{}).first->second;
  }
  LogFile file;
  LogMemory memory;
  bool limits = false;  ///< From set_up_logging() on.

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view subsystem(message.logger_name.data(), message.logger_name.size());
    Rule& to = rule(subsystem);
    std::uint64_t muted = 0;
    if (limits && subsystem != "admin" &&
        !limit_.pass(subsystem, {message.payload.data(), message.payload.size()}, monotonic_now(),
                     muted)) {
      ++to.muted;
      return;
    }
    ++to.lines;
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string line(formatted.data(), formatted.size());
    if (muted > 0) line.insert(line.size() - 1, " muted=" + std::to_string(muted));
    const LogLevel level = level_of(message.level);
    memory.add(subsystem, level, line);
    if (level > to.level) return;
    if (to.targets.has(LogTargets::kStderr)) write_to_stderr(line);
    if (to.targets.has(LogTargets::kFile)) file.write(line);
    if (to.targets.has(LogTargets::kSyslog)) {
      line.pop_back();
      write_to_syslog(level, line.substr(std::min(line.find(subsystem), line.size())));
    }
  }
  void flush_() override {}

 private:
  std::map<std::string, Rule, std::less<>> rules_;
  LineLimit limit_;
};

const std::shared_ptr<Fanout>& fanout() {
  static const std::shared_ptr<Fanout> one = [] {
    auto made = std::make_shared<Fanout>();
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<OneLine>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%f %-5l %n: %*");
    made->set_formatter(std::move(formatter));
    return made;
  }();
  return one;
}

/// All that is wanted of a configuration, already checked by its loader.
std::map<std::string_view, Fanout::Rule> rules_of(const config::Config& config) {
  const LogTargets targets = config::parse_log_targets(config.log.targets).value_or(LogTargets{});
  std::map<std::string_view, Fanout::Rule> rules;
  for (const std::string_view name : config::log_subsystems()) {
    rules[name] = {.level = config.log_level, .targets = targets};
  }
  const auto others = config::parse_log_rules(config.log.subsystems);
  if (!others) return rules;
  for (const config::LogRule& other : *others) {
    const auto found = rules.find(other.subsystem);
    if (found == rules.end()) continue;
    if (other.level) found->second.level = *other.level;
    if (other.targets) found->second.targets = *other.targets;
  }
  return rules;
}

}  // namespace

spdlog::logger& log(std::string_view subsystem) {
  const std::string key(subsystem);
  std::shared_ptr<spdlog::logger> logger = spdlog::get(key);
  if (logger == nullptr) {
    logger = std::make_shared<spdlog::logger>(key, fanout());
    logger->set_level(spdlog::level::debug);  // The sink decides.
    spdlog::register_logger(logger);
  }
  return *logger;
}

Expected<void, Error> check_logging(const config::Config& config) {
  if (config.log.file.empty()) return {};
  if (auto file = LogFile::open(config.log.file); !file) return fail(std::move(file.error()));
  return {};
}

Expected<void, Error> set_up_logging(const config::Config& config) {
  Fanout& out = *fanout();
  LogFile file;
  if (!config.log.file.empty()) {
    auto opened = LogFile::open(config.log.file);
    if (!opened) return fail(std::move(opened.error()));
    file = std::move(*opened);
  }
  out.file = std::move(file);
  for (const auto& [name, wanted] : rules_of(config)) {
    Fanout::Rule& rule = out.rule(name);
    rule.level = wanted.level;
    rule.targets = wanted.targets;
  }
  out.limits = true;
  return {};
}

Expected<void, Error> reopen_log() {
  return fanout()->file.path().empty() ? Expected<void, Error>{} : fanout()->file.reopen();
}

void set_log_level(std::string_view subsystem, config::LogLevel level) {
  for (const std::string_view name : config::log_subsystems()) {
    if (subsystem.empty() || name == subsystem) fanout()->rule(name).level = level;
  }
}

Expected<void, Error> set_log_targets(std::string_view subsystem, config::LogTargets targets) {
  if (targets.has(LogTargets::kFile) && fanout()->file.path().empty()) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot log to a file",
                      .observed = "log.file is empty",
                      .remedy = "set log.file, then phalanx reload"});
  }
  for (const std::string_view name : config::log_subsystems()) {
    if (subsystem.empty() || name == subsystem) fanout()->rule(name).targets = targets;
  }
  return {};
}

LogState log_state() {
  Fanout& out = *fanout();
  LogState state;
  for (const std::string_view name : config::log_subsystems()) {
    const Fanout::Rule& rule = out.rule(name);
    state.subsystems.push_back({.name = name,
                                .level = rule.level,
                                .targets = rule.targets,
                                .lines = rule.lines,
                                .muted = rule.muted});
  }
  state.file = out.file.path();
  state.lost = out.file.lost();
  return state;
}

const LogMemory& log_memory() { return fanout()->memory; }

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
