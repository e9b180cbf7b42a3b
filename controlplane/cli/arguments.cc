#include "controlplane/cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <span>
#include <string_view>

#include "config/suggest.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {

struct Command::State {
  State(const std::string& help, const std::string& name) : app(help, name) {}
  CLI::App app;
  Run chosen;
};

namespace {

CLI::App& app_of(void* app) { return *static_cast<CLI::App*>(app); }

/// What could have been meant in place of an unknown word.
std::vector<std::string> words_of(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(child->get_name());
  }
  for (const CLI::App* up = &app; up != nullptr; up = up->get_parent()) {
    for (const CLI::Option* option : up->get_options()) words.push_back(option->get_name());
  }
  return words;
}

}  // namespace

Command Command::add(const std::string& name, const std::string& help) {
  CLI::App* child = app_of(app_).add_subcommand(name, help);
  child->fallthrough();
  if (help.empty()) child->group("");
  app_of(app_).require_subcommand(1);
  return {state_, child};
}

Command& Command::text(const std::string& name, std::string& target, const std::string& help,
                       const std::string& type) {
  app_of(app_).add_option(name, target, help)->type_name(type);
  return *this;
}

Command& Command::required_text(const std::string& name, std::string& target,
                                const std::string& help) {
  app_of(app_).add_option(name, target, help)->type_name("TEXT")->required();
  return *this;
}

Command& Command::word(const std::string& name, std::string& target,
                       const std::vector<std::string>& words, const std::string& help) {
  app_of(app_).add_option(name, target, help)->check(CLI::IsMember(words))->capture_default_str();
  return *this;
}

Command& Command::number(const std::string& name, std::uint64_t& target, Range range,
                         const std::string& help) {
  app_of(app_)
      .add_option(name, target, help)
      ->required(!name.starts_with('-'))
      ->check(CLI::Range(range.min, range.max))
      ->type_name(std::to_string(range.min) + "-" + std::to_string(range.max))
      ->capture_default_str();
  return *this;
}

Command& Command::seconds(const std::string& name, double& target, const std::string& help) {
  app_of(app_)
      .add_option(name, target, help)
      ->check(CLI::Range(0.1, 86400.0))
      ->type_name("SECONDS")
      ->capture_default_str();
  return *this;
}

Command& Command::rest(const std::string& name, std::vector<std::string>& target,
                       const std::string& help) {
  app_of(app_).add_option(name, target, help)->type_name("WORD")->required();
  return *this;
}

Command& Command::flag(const std::string& name, bool& target, const std::string& help) {
  app_of(app_).add_flag(name, target, help);
  return *this;
}

Command& Command::footer(const std::string& text) {
  app_of(app_).footer(text);
  return *this;
}

Command& Command::run(Run run) {
  app_of(app_).require_subcommand(0, 1);
  // Called after that of a sub-command, which goes before.
  app_of(app_).callback([state = state_.get(), app = &app_of(app_), run = std::move(run)] {
    if (app->get_subcommands().empty()) state->chosen = run;
  });
  return *this;
}

Arguments::Arguments(const std::string& help, const std::string& name, const std::string& version)
    : root_(nullptr, nullptr) {
  root_.state_ = std::make_shared<Command::State>(help, name);
  root_.app_ = &root_.state_->app;
  root_.state_->app.fallthrough();
  root_.state_->app.set_version_flag("--version", name + " " + version);
}

ExitCode Arguments::run(int argc, char** argv) {
  CLI::App& app = root_.state_->app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help and --version.
      app.exit(error);
      return ExitCode::Fine;
    }
    std::string name = app.get_name();
    const CLI::App* where = &app;
    while (!where->get_subcommands().empty()) {
      where = where->get_subcommands().front();
      name += " " + where->get_name();
    }
    std::vector<std::string> rest = app.remaining(true);
    if (!rest.empty() && rest.front() == "--") rest.clear();  // Behind it nothing is ours to judge.
    const std::string what = rest.empty() ? error.what() : "there is no " + rest.front();
    const std::string meant = rest.empty() ? "" : config::closest(rest.front(), words_of(*where));
    // The line could not be parsed, so its options are not set yet.
    const std::span words(argv, static_cast<std::size_t>(argc));
    Globals globals;
    globals.json = std::ranges::find(words, std::string_view("--json")) != words.end();
    return report(
        {.code = ExitCode::Usage,
         .attempted = what,
         .remedy = (meant.empty() ? "" : "did you mean " + meant + "? ") + name + " --help"},
        globals);
  }
  return root_.state_->chosen();
}

}  // namespace phalanx::cli
