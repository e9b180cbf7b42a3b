#include <phalanx/map.h>

#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/map_text.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/stop_signal.h"
#include "controlplane/json_text.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string map = "config";
  std::string key;
  std::string value;
  std::string type = "string";
};

ExitCode exit_code_of(phx_status status) {
  switch (static_cast<unsigned>(status)) {
    case PHX_OK:
      return ExitCode::Fine;
    case PHX_NOT_RUNNING:
    case PHX_DISCONNECTED:
      return ExitCode::NotRunning;
    case PHX_ACCESS:
    case PHX_READ_ONLY:
      return ExitCode::Permission;
    case PHX_TRY_AGAIN:
      return ExitCode::TimeOut;
    case PHX_BAD_NAME:
    case PHX_NAME_TOO_LONG:
    case PHX_TOO_BIG:
      return ExitCode::Usage;
    default:
      return ExitCode::Failed;
  }
}

std::string remedy_for(phx_status status) {
  switch (static_cast<unsigned>(status)) {
    case PHX_NOT_RUNNING:
      return "start phalanx-controlplane, or name another --instance";
    case PHX_READ_ONLY:
      return "it is the daemon's own: change the configuration, or choose another name";
    case PHX_ACCESS:
      return "ask the user who made it, or root";
    case PHX_BAD_NAME:
      return "3 to 255 letters, digits and . _ - / :";
    case PHX_NOT_FOUND:
      return "phalanx map list";
    default:
      return {};
  }
}

ExitCode report_status(phx_status status, const std::string& attempted, const Globals& globals) {
  return report({.code = exit_code_of(status),
                 .attempted = attempted,
                 .observed = phx_strerror(status),
                 .remedy = remedy_for(status)},
                globals);
}

/// Closes it.
class OpenMap {
 public:
  OpenMap() = default;
  OpenMap(const OpenMap&) = delete;
  OpenMap& operator=(const OpenMap&) = delete;
  ~OpenMap() {
    if (map_ != 0) phx_map_close(map_);
  }
  phx_status open(const Options& options, const Instance& instance) {
    phx_map_options how{};
    how.struct_bytes = sizeof how;
    how.kind = options.map == "stats" ? PHX_MAP_STATS : PHX_MAP_CONFIG;
    how.instance = instance.name.c_str();
    how.runtime_directory = instance.runtime_directory.c_str();
    return phx_map_open(&how, &map_);
  }
  [[nodiscard]] phx_map get() const { return map_; }

 private:
  phx_map map_ = 0;
};

/// What a command does with an open map; a status that is not PHX_OK is reported with `told`.
template <class Work>
ExitCode with_map(const Options& options, const Globals& globals, const std::string& told,
                  const Work& work) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  OpenMap map;
  phx_status status = map.open(options, *instance);
  if (status != PHX_OK) return report_status(status, "cannot open the map", globals);
  status = work(map.get());
  return status == PHX_OK ? ExitCode::Fine : report_status(status, told, globals);
}

phx_status read_value(phx_map map, const std::string& key, MapValue& value) {
  value.bytes.resize(PHX_MAP_VALUE_BYTES_MAX);
  std::size_t bytes = 0;
  const phx_status status =
      phx_map_get(map, key.c_str(), value.bytes.data(), value.bytes.size(), &bytes, &value.type);
  value.bytes.resize(status == PHX_OK ? bytes : 0);
  return status;
}

void print(const std::string& key, const MapValue& value, bool as_json) {
  if (as_json) {
    json line = {{"key", key}};
    line.update(json_of(value));
    std::printf("%s\n", json_text(line).c_str());
  } else {
    std::printf("%s (%s) = %s\n", key.c_str(), type_name(value.type), text_of(value).c_str());
  }
}

ExitCode get(const Options& o, const Globals& globals) {
  return with_map(o, globals, "cannot read " + escaped(o.key), [&](phx_map map) {
    MapValue value;
    const phx_status status = read_value(map, o.key, value);
    if (status == PHX_OK) print(o.key, value, globals.json);
    return status;
  });
}

ExitCode set(const Options& o, const Globals& globals) {
  const auto value = parse_map_value(*type_of(o.type), o.value);
  if (!value) return report(value.error(), globals);
  return with_map(o, globals, "cannot set " + escaped(o.key), [&](phx_map map) {
    return phx_map_set(map, o.key.c_str(), value->type, value->bytes.data(), value->bytes.size());
  });
}

ExitCode erase(const Options& o, const Globals& globals) {
  return with_map(o, globals, "cannot delete " + escaped(o.key),
                  [&](phx_map map) { return phx_map_delete(map, o.key.c_str()); });
}

ExitCode list(const Options& o, const Globals& globals) {
  return with_map(o, globals, "cannot list the map", [&](phx_map map) {
    std::array<char, PHX_MAP_KEY_BYTES_MAX + 1> key{};
    MapValue value;
    for (;;) {
      value.bytes.resize(PHX_MAP_VALUE_BYTES_MAX);
      std::size_t bytes = 0;
      const phx_status status = phx_map_next(map, o.key.c_str(), key.data(), value.bytes.data(),
                                             value.bytes.size(), &bytes, &value.type);
      if (status == PHX_NOT_FOUND) return PHX_OK;
      if (status != PHX_OK) return status;
      value.bytes.resize(bytes);
      print(key.data(), value, globals.json);
    }
  });
}

const char* event_name(std::uint32_t event) {
  if (event == PHX_MAP_ADD) return "add";
  if (event == PHX_MAP_MODIFY) return "modify";
  return event == PHX_MAP_DELETE ? "delete" : "lost";
}

MapValue copy_of(const phx_map_value& value) {
  const auto* at = static_cast<const unsigned char*>(value.data);
  return {.type = value.type, .bytes = {at, at + value.bytes}};
}

void print_event(const phx_map_event& event, bool as_json) {
  if (as_json) {
    json line = {{"event", event_name(event.event)}};
    if (event.event == PHX_MAP_LOST) line["lost"] = event.lost;
    if (*event.key != '\0') line["key"] = event.key;
    if (event.value.data != nullptr) line["new"] = json_of(copy_of(event.value));
    if (event.old_value.data != nullptr) line["old"] = json_of(copy_of(event.old_value));
    std::printf("%s\n", json_text(line).c_str());
  } else if (event.event == PHX_MAP_LOST) {
    std::printf("lost %lu changes: this was too slow\n", event.lost);
  } else {
    std::string line = std::string(event_name(event.event)) + " " + event.key;
    if (event.value.data != nullptr) {
      line +=
          std::string(" (") + type_name(event.value.type) + ") = " + text_of(copy_of(event.value));
    }
    if (event.old_value.data != nullptr) line += ", was " + text_of(copy_of(event.old_value));
    std::printf("%s\n", line.c_str());
  }
}

ExitCode watch(const Options& o, const Globals& globals) {
  catch_stop_signals();
  return with_map(o, globals, "cannot watch the map", [&](phx_map map) {
    const auto told = [](void* as_json, phx_map, const phx_map_event* event) {
      print_event(*event, *static_cast<const bool*>(as_json));
    };
    phx_status status = phx_map_track_add(
        map, o.key.c_str(), PHX_MAP_ADD | PHX_MAP_MODIFY | PHX_MAP_DELETE | PHX_MAP_PREFIX, told,
        const_cast<bool*>(&globals.json), nullptr);
    while (status == PHX_OK && !stop_requested()) {
      constexpr int kLookMs = 200;
      status = phx_map_dispatch(map, PHX_DISPATCH_ALL, kLookMs);
      if (status == PHX_TRY_AGAIN) status = PHX_OK;
      std::fflush(stdout);
    }
    return status;
  });
}

constexpr const char* kFooter =
    "Keys have 3 to 255 letters, digits and . _ - / : . What the daemon runs with is there under "
    "the\n"
    "names of the configuration file, and runtime.*; both are read-only. --map stats computes\n"
    "statistics when it is read. See phalanx-map(1).";

}  // namespace

void add_map(Command& root, const Globals& globals) {
  const auto o = std::make_shared<Options>();
  Command command = root.add("map", "Read and change the configuration map; read statistics.");
  command.footer(kFooter).word("--map", o->map, {"config", "stats"}, "Which map");
  command.add("get", "Print one key.").required_text("KEY", o->key, "Its name").run([&globals, o] {
    return get(*o, globals);
  });
  command.add("set", "Make a key, or change it.")
      .required_text("KEY", o->key, "Its name")
      .required_text("VALUE", o->value, "A number, text, or the hexadecimal digits of a binary")
      .word("--type", o->type, type_names(), "What it is")
      .run([&globals, o] { return set(*o, globals); });
  command.add("delete", "Remove a key.")
      .required_text("KEY", o->key, "Its name")
      .run([&globals, o] { return erase(*o, globals); });
  command.add("list", "Print all keys, sorted, or those that begin with a prefix.")
      .text("PREFIX", o->key, "What they begin with")
      .run([&globals, o] { return list(*o, globals); });
  command.add("watch", "Print every change to a key that begins with a prefix, until Ctrl-C.")
      .text("PREFIX", o->key, "What they begin with")
      .run([&globals, o] { return watch(*o, globals); });
}

}  // namespace phalanx::cli
