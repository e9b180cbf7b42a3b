#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/recorder/noted.h"
#include "controlplane/cli/recorder/save.h"
#include "controlplane/cli/stop_signal.h"
#include "controlplane/json_text.h"
#include "ipc/recorder/reader.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

constexpr TimeNs kFollowPause = 100 * kMillisecond;

/// The words of one command line.
struct Words {
  std::string files;
  std::string since;
  std::string until;
  std::string subsystem;
  std::string range;
  std::uint64_t node = 0;
  std::uint64_t lane = kLanesMax;  ///< Of all.
  std::uint64_t view = 0;
  std::uint64_t last = 0;  ///< 0: all.
};

std::uint64_t wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

Error wrong(const char* option, const std::string& value, const char* allowed) {
  return Error{.code = ExitCode::Usage,
               .attempted = std::string("cannot use ") + option + " " + value,
               .observed = "it is none of what is allowed",
               .remedy = allowed};
}

Expected<NotedFilter, Error> filter_of(const Words& words) {
  NotedFilter filter{
      .subsystem = words.subsystem, .node = static_cast<NodeId>(words.node), .view = words.view};
  if (words.lane < kLanesMax) filter.lane = static_cast<LaneId>(words.lane);
  constexpr const char* kTimes = "give 90s, 5m or 2h (ago), 10:00:00, or 2026-01-31T10:00:00 (UTC)";
  const std::uint64_t now = wall_now();
  if (!words.since.empty()) {
    const auto at = parse_time(words.since, now);
    if (!at) return fail(wrong("--since", words.since, kTimes));
    filter.since_ns = *at;
  }
  if (!words.until.empty()) {
    const auto at = parse_time(words.until, now);
    if (!at) return fail(wrong("--until", words.until, kTimes));
    filter.until_ns = *at;
  }
  if (!words.range.empty()) {
    Position from = 0;
    Position to = 0;
    const char* end = words.range.data() + words.range.size();
    const auto first = std::from_chars(words.range.data(), end, from);
    const bool dots = end - first.ptr > 2 && first.ptr[0] == '.' && first.ptr[1] == '.';
    const auto second = std::from_chars(dots ? first.ptr + 2 : end, end, to);
    if (first.ec != std::errc{} || !dots || second.ec != std::errc{} || second.ptr != end ||
        to < from) {
      return fail(wrong("--range", words.range, "give two positions of a log, as 0..4096"));
    }
    filter.range = {from, to};
  }
  return filter;
}

Expected<std::vector<std::string>, Error> files_of(const Words& words, const Globals& globals,
                                                   bool dead) {
  std::vector<std::string> files;
  std::istringstream list(words.files);
  for (std::string one; std::getline(list, one, ',');) {
    if (!one.empty()) files.push_back(one);
  }
  if (!files.empty()) return files;
  const auto instance = find_instance(globals);
  if (!instance) return fail(instance.error());
  const std::string directory = instance->directory() + "/recorder";
  files = recorder::list_files(directory, dead);
  if (!files.empty()) return files;
  return fail(Error{.code = ExitCode::NotRunning,
                    .attempted = "cannot read the flight recorder in " + directory,
                    .observed = "there is no recorder's file",
                    .remedy = "was the node ever started, is --instance its name, and may this "
                              "user read there? Or name files: --file"});
}

void tell_damage(const std::string& file, const recorder::Ring& ring) {
  if (!ring.header_sound) {
    std::fprintf(stderr, "note: %s: its header is spoilt%s\n", file.c_str(),
                 ring.clock.known() ? "" : ", so that its times are not known");
  }
  if (ring.spoilt + ring.cut_bytes > 0) {
    std::fprintf(stderr, "note: %s: %llu events are spoilt, %llu bytes are missing\n", file.c_str(),
                 static_cast<unsigned long long>(ring.spoilt),
                 static_cast<unsigned long long>(ring.cut_bytes));
  }
}

json about(const std::string& file, const recorder::Ring& ring) {
  return {{"file", file},
          {"writer", ring.writer()},
          {"node", ring.header.node},
          {"pid", ring.header.pid},
          {"boot", to_string(ring.header.boot)},
          {"header_sound", ring.header_sound},
          {"events", ring.events.size()},
          {"spoilt", ring.spoilt},
          {"cut_bytes", ring.cut_bytes}};
}

ExitCode print(const Words& words, const Globals& globals, bool dead) {
  const auto filter = filter_of(words);
  if (!filter) return report(filter.error(), globals);
  const auto files = files_of(words, globals, dead);
  if (!files) return report(files.error(), globals);
  std::vector<Noted> all;
  json recorders = json::array();
  bool damaged = false;
  for (const std::string& file : *files) {
    const auto ring = recorder::read_file(file);
    if (!ring) {
      // Of many, one that cannot be read keeps nobody from reading the others.
      const ExitCode code = report(ring.error(), Globals{});
      if (files->size() == 1) return code;
      damaged = true;
      continue;
    }
    tell_damage(file, *ring);
    recorders.push_back(about(file, *ring));
    for (Noted& noted : noted_of(*ring)) {
      if (filter->passes(noted)) all.push_back(std::move(noted));
    }
  }
  sort_by_time(all);
  if (words.last != 0 && all.size() > words.last) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(words.last));
  }
  if (globals.json) {
    json events = json::array();
    for (const Noted& noted : all) events.push_back(json_of(noted));
    std::printf("%s\n",
                json_text({{"version", 1}, {"recorders", recorders}, {"events", events}}).c_str());
  } else {
    for (const Noted& noted : all) std::printf("%s\n", line_of(noted).c_str());
  }
  return damaged ? ExitCode::Failed : ExitCode::Fine;
}

/// New events as they come, also those of processes that take the place of others.
ExitCode follow(const Words& words, const Globals& globals) {
  const auto filter = filter_of(words);
  if (!filter) return report(filter.error(), globals);
  catch_stop_signals();
  struct Seen {
    std::uint32_t pid = 0;
    std::uint64_t number = 0;
  };
  std::map<std::string, Seen> seen;
  for (bool first = true; !stop_requested(); first = false) {
    const auto files = files_of(words, globals, false);
    if (!files && first) return report(files.error(), globals);
    std::vector<Noted> news;
    for (const std::string& file : files ? *files : std::vector<std::string>{}) {
      Seen& before = seen[file];
      const auto ring = recorder::read_file(file);
      if (!ring || ring->events.empty()) continue;
      if (ring->header.pid != before.pid) before = {.pid = ring->header.pid, .number = 0};
      for (Noted& noted : noted_of(*ring)) {
        if (noted.event.number <= before.number || first) continue;
        if (filter->passes(noted)) news.push_back(std::move(noted));
      }
      before.number = ring->events.back().number;
    }
    sort_by_time(news);
    for (const Noted& noted : news) {
      std::printf("%s\n", (globals.json ? json_text(json_of(noted)) : line_of(noted)).c_str());
    }
    if (std::fflush(stdout) != 0) return ExitCode::Failed;
    std::this_thread::sleep_for(std::chrono::nanoseconds(kFollowPause));
  }
  return ExitCode::Fine;
}

void add_filters(Command& command, Words& words) {
  command.text("--file", words.files, "These files, of any node, instead of this node's", "F,F...")
      .text("--since", words.since, "90s, 5m, 2h (ago), 10:00:00 or 2026-01-31T10:00:00 (UTC)",
            "TIME")
      .text("--until", words.until, "Likewise", "TIME")
      .word("--subsystem", words.subsystem,
            {"process", "worker", "lane", "client", "membership", "quorum", "admin"}, "Only this")
      .number("--node", words.node, {0, ~NodeId{0}}, "Only what is about this node id")
      .number("--lane", words.lane, {0, kLanesMax - 1}, "Only this lane")
      .number("--view", words.view, {0, ~std::uint64_t{0} >> 1}, "Only this view's sequence")
      .text("--range", words.range, "Only what is about these positions of a log", "FROM..TO")
      .number("--last", words.last, {0, 1u << 24}, "No more than the newest so many");
}

}  // namespace

void add_recorder(Command& root, const Globals& globals) {
  Command all = root.add("recorder", "Read the flight recorder of a node, live or dead.");
  const auto show = std::make_shared<Words>();
  const auto dump = std::make_shared<Words>();
  const auto live = std::make_shared<Words>();
  const auto target = std::make_shared<std::string>();
  const auto tape = std::make_shared<std::string>();
  Command shows = all.add("show", "What the processes of this node noted, oldest first.");
  add_filters(shows, *show);
  shows.run([&globals, show] { return print(*show, globals, false); });
  Command dumps = all.add("dump", "The same, with what earlier processes of the node left.");
  add_filters(dumps, *dump);
  dumps.run([&globals, dump] { return print(*dump, globals, true); });
  Command follows = all.add("follow", "What they note from now on, until interrupted.");
  add_filters(follows, *live);
  follows.run([&globals, live] { return follow(*live, globals); });
  all.add("save",
          "Save what went into this node's membership in the last seconds, and into its lanes in "
          "view "
          "changes (with the messages they held), to be replayed: "
          "phalanx-sim --replay-file FILE.")
      .required_text("FILE", *target, "A file that is not there yet")
      .text("--file", *tape, "This membership.tape, instead of this node's", "TAPE")
      .run([&globals, target, tape] { return save_tape(*target, *tape, globals); });
}

}  // namespace phalanx::cli
