#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/stop_signal.h"
#include "controlplane/cli/top/screen.h"
#include "controlplane/cli/top/tables.h"
#include "controlplane/json_text.h"
#include "controlplane/watch/watcher.h"

namespace phalanx::cli {
namespace {

constexpr TimeNs kAttachGap = kSecond;
constexpr TimeNs kOnceInterval = 250 * kMillisecond;
constexpr std::size_t kUnsorted = ~std::size_t{0};
constexpr const char* kKeys =
    "keys: w l g c p views, a all of them, < > column to sort by, r reverse, u unsorted, q end";

struct TopOptions {
  double delay = 1;
  std::uint64_t count = 0;
  std::string view;
  bool batch = false;
  bool once = false;
  bool cost = false;
};

/// One attached node: asks once, then only reads memory, until the data plane is another one.
class Attached {
 public:
  explicit Attached(std::string directory) : directory_(std::move(directory)) {}

  Expected<void, Error> attach() {
    attached_at_ = monotonic_now();
    auto seen = watch::look(directory_);
    if (!seen) return fail(seen.error());
    auto status = watch::parse_status(seen->status);
    if (!status) return fail(status.error());
    learn_names(*status);
    before_.reset();
    now_.reset();
    memory_ = std::move(seen->statistics);
    return {};
  }

  /// Takes the next sample. An Error only when the node cannot be looked at any more.
  Expected<void, Error> sample() {
    const bool stale = !memory_ || is_silent();
    if (stale && monotonic_now() - attached_at_ >= kAttachGap) {
      // A data plane that died stays readable: it is shown until there is another one.
      if (auto attached = attach(); !attached && !memory_) return attached;
    }
    if (!memory_) return {};
    if (auto next = watch::take_sample(*memory_)) {
      before_ = std::move(now_);
      now_ = std::move(next);
    }
    return {};
  }

  [[nodiscard]] bool ready() const { return memory_ && before_ && now_; }
  [[nodiscard]] TopSource source() const {
    return {.before = *before_,
            .now = *now_,
            .started_at = memory_->layout().started_at,
            .pid = memory_->layout().pid,
            .names = names_};
  }
  [[nodiscard]] NodeId self() const { return memory_->layout().self.node; }

 private:
  [[nodiscard]] bool is_silent() const {
    return now_ && monotonic_now() - now_->status.written_at > watch::kSilentAfter;
  }

  void learn_names(const nlohmann::json& status) {
    const auto learn = [&](const nlohmann::json& one) {
      if (one.contains("node") && one["node"].is_number() && one.contains("name") &&
          one["name"].is_string()) {
        names_[one["node"].get<NodeId>()] = one["name"].get<std::string>();
      }
    };
    learn(status);
    if (status.contains("peers")) std::ranges::for_each(status["peers"], learn);
  }

  std::string directory_;
  std::map<NodeId, std::string> names_;
  std::optional<shm::StatisticsMemory> memory_;
  TimeNs attached_at_ = 0;
  std::unique_ptr<watch::Sample> before_;
  std::unique_ptr<watch::Sample> now_;
};

/// What the keys choose.
struct Choice {
  std::optional<View> view;  ///< None: all.
  std::size_t column = kUnsorted;
  bool reverse = false;

  /// False: end.
  bool take(int key) {
    for (const View one : kViews) {
      if (key != to_string(one)[0]) continue;
      view = one;
      column = kUnsorted;
      return true;
    }
    if (key == 'a') view.reset();
    if (key == '>') column = column == kUnsorted ? 0 : column + 1;
    if (key == '<') column = column == kUnsorted || column == 0 ? kUnsorted : column - 1;
    if (key == 'u') column = kUnsorted;
    if (key == 'r') reverse = !reverse;
    return key != 'q' && key != 'Q';
  }
};

std::vector<std::string> page(const Attached& node, Choice& choice) {
  if (!node.ready()) return {"the data plane is down, or shows nothing yet"};
  const TopSource source = node.source();
  std::vector<std::string> lines{head_line(source, node.self())};
  for (const View view : kViews) {
    if (choice.view && *choice.view != view) continue;
    TopTable table = table_of(view, source);
    if (choice.view && choice.column != kUnsorted) {
      choice.column = std::min(choice.column, table.headings.size() - 1);
      sort_by(table, choice.column, choice.reverse);
    }
    lines.emplace_back();
    std::string title(to_string(view));
    if (choice.view && choice.column != kUnsorted) {
      title += ", by " + std::string(table.headings[choice.column]);
    }
    lines.push_back(title);
    for (std::string& line : lines_of(table)) lines.push_back(std::move(line));
  }
  return lines;
}

void print_json(const Attached& node, const Choice& choice) {
  nlohmann::json out = {{"version", 1}, {"running", node.ready()}};
  for (const View view : kViews) {
    if (!node.ready() || (choice.view && *choice.view != view)) continue;
    out[std::string(to_string(view))] = json_of(table_of(view, node.source()));
  }
  std::printf("%s\n", json_text(out).c_str());
}

void sleep_for(TimeNs length) {
  const timespec time{.tv_sec = static_cast<time_t>(length / kSecond),
                      .tv_nsec = static_cast<long>(length % kSecond)};
  nanosleep(&time, nullptr);  // A signal ends it early: that is meant.
}

ExitCode run_batch(Attached& node, const TopOptions& options, TimeNs delay, Choice choice,
                   const Globals& globals) {
  const std::uint64_t pages = options.once ? 1 : options.count;
  for (std::uint64_t i = 0; (pages == 0 || i < pages) && !stop_requested(); ++i) {
    sleep_for(options.once ? kOnceInterval : delay);
    if (stop_requested()) break;
    if (auto sampled = node.sample(); !sampled) return report(sampled.error(), globals);
    if (globals.json) {
      print_json(node, choice);
    } else {
      for (const std::string& line : page(node, choice)) std::printf("%s\n", line.c_str());
      std::printf("\n");
    }
    if (std::fflush(stdout) != 0) break;
  }
  return ExitCode::Fine;
}

ExitCode run_screen(Attached& node, TimeNs delay, Choice choice) {
  Screen screen;
  TimeNs next = 0;
  while (!stop_requested()) {
    const TimeNs now = monotonic_now();
    if (now >= next) {
      (void)node.sample();  // What it says when the node is gone is on the page.
      next = now + delay;
    }
    std::vector<std::string> lines = page(node, choice);
    lines.insert(lines.begin() + 1, kKeys);
    screen.show(lines, 0);
    const TimeNs rest = next - std::min(next, monotonic_now());
    const int key = screen.key(static_cast<int>(rest / kMillisecond) + 1);
    if (key != 0 && !choice.take(key)) break;
  }
  return ExitCode::Fine;
}

void tell_cost(TimeNs begun) {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const double cpu = seconds(used.ru_utime) + seconds(used.ru_stime);
  const double wall = static_cast<double>(monotonic_now() - begun) / static_cast<double>(kSecond);
  std::fprintf(stderr, "top used %.1f ms of a core in %.1f s: %.2f %%\n", 1e3 * cpu, wall,
               100 * cpu / wall);
}

ExitCode run_top(const TopOptions& options, const Globals& globals) {
  const TimeNs begun = monotonic_now();
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  catch_stop_signals();
  Attached node(instance->directory());
  if (auto attached = node.attach(); !attached) return report(attached.error(), globals);
  Choice choice;
  for (const View view : kViews) {
    if (options.view == to_string(view)) choice.view = view;
  }
  if (auto sampled = node.sample(); !sampled) return report(sampled.error(), globals);
  const auto delay = static_cast<TimeNs>(options.delay * static_cast<double>(kSecond));
  const bool batch = options.batch || options.once || globals.json || isatty(STDOUT_FILENO) == 0;
  const ExitCode code =
      batch ? run_batch(node, options, delay, choice, globals) : run_screen(node, delay, choice);
  if (options.cost) tell_cost(begun);
  return code;
}

}  // namespace

void add_top(Command& root, const Globals& globals) {
  const auto options = std::make_shared<TopOptions>();
  Command command = root.add(
      "top", "Watch the workers, lanes, groups, clients and peers of a node: phalanx-top(1).");
  std::vector<std::string> views;
  views.reserve(kViews.size());
  for (const View view : kViews) views.emplace_back(to_string(view));
  command.word("--view", options->view, views, "Only this table")
      .seconds("--delay", options->delay, "Between two pages, 1 unless given")
      .number("--count", options->count, {.min = 0, .max = 1'000'000'000},
              "End after so many pages (0: never); with --batch")
      .flag("--batch", options->batch, "Plain text, page after page")
      .flag("--once", options->once, "One page of plain text")
      .flag("--cost", options->cost, "At the end say what this program itself used");
  command.run([options, &globals] { return run_top(*options, globals); });
}

}  // namespace phalanx::cli
