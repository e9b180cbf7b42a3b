#include "config/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "config/draft.h"
#include "config/schema.h"
#include "ipc/base/error.h"
#include "ipc/base/fd.h"

namespace phalanx::config {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

Value default_of(const Key& key) {
  Value value{.text = std::string(key.fallback)};
  switch (key.kind) {
    case Kind::Integer:
      std::from_chars(key.fallback.data(), key.fallback.data() + key.fallback.size(), value.number);
      break;
    case Kind::Size:
      value.number = parse_size(key.fallback).value();
      break;
    case Kind::Duration:
      value.number = parse_duration(key.fallback).value();
      break;
    case Kind::Choice:
    case Kind::Name:
    case Kind::Path:
    case Kind::Address:
    case Kind::Text:
    case Kind::Ids:
      break;
  }
  return value;
}

Expected<std::string, Error> read_file(const std::string& path, bool from_standard_input) {
  const std::string attempted = "cannot read the configuration " + path;
  const Fd fd(from_standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                  : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return fail(system_error(attempted, "open", errno,
                             "name a file with --config, or make one: phalanx config init"));
  }
  std::string text;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) return fail(system_error(attempted, "read", errno, "name a readable file"));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kFileBytesMax) {
      return fail(Error{.attempted = attempted,
                        .observed = "it is longer than 1 MiB",
                        .remedy = "is that the right file?"});
    }
  }
}

}  // namespace

void set_defaults(Config& config) {
  for (const Key& key : schema()) key.store(config, default_of(key));
}

Place Draft::place(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    if (const auto found = places.find(name); found != places.end()) return found->second;
  }
  return {};
}

void Draft::error(Place place, std::string what, std::string allowed, std::string remedy) {
  errors.push_back({.file = config.file,
                    .line = place.line,
                    .column = place.column,
                    .what = std::move(what),
                    .allowed = std::move(allowed),
                    .remedy = std::move(remedy)});
}

std::string ConfigError::text() const {
  std::string out = file;
  if (line != 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  out += ": error: " + what + "\n";
  if (!allowed.empty()) out += "  allowed: " + allowed + "\n";
  if (!remedy.empty()) out += "  remedy:  " + remedy + "\n";
  return out;
}

std::string ConfigErrors::text() const {
  std::string out;
  for (const ConfigError& error : errors) out += error.text();
  return out;
}

Expected<Config, ConfigErrors> parse(std::string_view text, const std::string& name,
                                     const LoadOptions& options) {
  Draft draft;
  draft.config.file = name;
  set_defaults(draft.config);
  read_toml(text, draft);
  // A file that is no TOML has one error; what it would have held cannot be judged.
  if (draft.errors.empty() || !draft.places.empty()) {
    complete(options, draft);
    check_sizes(draft);
    check_clients(draft);
    check_transport(draft);
    check_lane_groups(draft);
    check_workers(draft);
    check_metrics(draft);
    check_quorum(draft);
    check_log(draft);
    if (options.check_key_file) check_key_file(draft);
  }
  if (draft.errors.empty()) return std::move(draft.config);
  std::ranges::stable_sort(draft.errors, [](const ConfigError& a, const ConfigError& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return fail(ConfigErrors{std::move(draft.errors)});
}

Expected<Config, ConfigErrors> load(const std::string& path, const LoadOptions& options) {
  const auto text = read_file(path, options.from_standard_input);
  if (text) return parse(*text, path, options);
  return fail(ConfigErrors{
      {ConfigError{.file = path, .what = text.error().observed, .remedy = text.error().remedy}}});
}

}  // namespace phalanx::config
