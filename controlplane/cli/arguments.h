#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ipc/base/error.h"

namespace phalanx::cli {

/// A command of the command line and its options. Wraps the parser, which costs seconds of compile
/// time a file: only arguments.cc includes it. Targets of options must outlive the parse.
class Command {
 public:
  using Run = std::function<ExitCode()>;

  /// A sub-command. Empty help: not listed.
  Command add(const std::string& name, const std::string& help);

  Command& text(const std::string& name, std::string& target, const std::string& help,
                const std::string& type = "TEXT");
  Command& required_text(const std::string& name, std::string& target, const std::string& help);
  /// "--transport udp": one of the words.
  Command& word(const std::string& name, std::string& target, const std::vector<std::string>& words,
                const std::string& help);
  struct Range {
    std::uint64_t min;
    std::uint64_t max;
  };
  /// An option, or a word that has to be there.
  Command& number(const std::string& name, std::uint64_t& target, Range range,
                  const std::string& help);
  /// 0.1 to 86400, with a fraction.
  Command& seconds(const std::string& name, double& target, const std::string& help);
  /// All words that are left, at least one: a command line of its own.
  Command& rest(const std::string& name, std::vector<std::string>& target, const std::string& help);
  Command& flag(const std::string& name, bool& target, const std::string& help);
  Command& footer(const std::string& text);
  /// What the command does once the whole line is parsed, unless a sub-command was named; without
  /// it one is needed. After all add()s.
  Command& run(Run run);

 private:
  friend class Arguments;
  struct State;
  Command(std::shared_ptr<State> state, void* app) : state_(std::move(state)), app_(app) {}

  std::shared_ptr<State> state_;
  void* app_;
};

/// The whole command line.
class Arguments {
 public:
  Arguments(const std::string& help, const std::string& name, const std::string& version);

  [[nodiscard]] Command& root() { return root_; }
  /// Parses, then does what was asked for. Prints help and usage errors itself; the latter are
  /// ExitCode::Usage.
  ExitCode run(int argc, char** argv);

 private:
  Command root_;
};

}  // namespace phalanx::cli
