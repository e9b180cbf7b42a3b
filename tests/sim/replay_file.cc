#include "tests/sim/replay_file.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "controlplane/membership/tape.h"
#include "dataplane/tape/core_replay.h"
#include "ipc/base/error.h"

namespace phalanx::sim {
namespace {

using membership::InputKind;

std::vector<std::byte> bytes_of(std::ifstream& file) {
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string subject_of(const membership::Input& input) {
  std::string text;
  if (input.from.node != 0) text += " n" + std::to_string(input.from.node);
  if (input.kind == InputKind::Message) {
    text += " kind " + std::to_string(static_cast<unsigned>(input.message)) + ", " +
            std::to_string(input.bytes.size()) + " bytes";
  }
  if (!input.view.is_none()) text += " " + to_string(input.view);
  return text;
}

/// What only puts a verdict off is most of a tape, and changes nothing that one could see.
bool is_quiet(const membership::ReplayStep& step) {
  return step.outcome.did == 0 && step.outcome.sends == 0;
}

void print_step(const membership::ReplayStep& step) {
  if (is_quiet(step)) return;
  std::printf("%12.6f %-9s%s -> %s, %s\n", static_cast<double>(step.input.now) / 1e9,
              std::string(to_string(step.input.kind)).c_str(), subject_of(step.input).c_str(),
              text_of(step.outcome).c_str(),
              std::string(to_string(step.membership.state())).c_str());
}

void print_lane_step(const tape::CoreReplayStep& it) {
  const tape::Step& step = it.step;
  std::string subject;
  for (const auto quiet : {tape::StepKind::Time, tape::StepKind::Poll, tape::StepKind::Readers,
                           tape::StepKind::Reserve}) {
    if (step.kind == quiet) return;
  }
  if (step.kind == tape::StepKind::Commit) {
    subject = " lane " + std::to_string(step.lane) + ", " + std::to_string(it.bytes) + " bytes";
  } else if (step.kind == tape::StepKind::Frame) {
    subject = " n" + std::to_string(step.sender) + " lane " + std::to_string(step.lane) + " at " +
              std::to_string(step.position) + ", " + std::to_string(it.bytes) + " bytes";
  } else if (step.kind == tape::StepKind::Plan && step.flag == 0) {
    subject = " refused";
  }
  const core::LaneStatus lane = it.core.lane_status(step.lane);
  std::printf("%12.6f %-9s%s -> received %llu, delivered %llu%s, %s\n",
              static_cast<double>(step.now) / 1e9, std::string(to_string(step.kind)).c_str(),
              subject.c_str(), static_cast<unsigned long long>(lane.received),
              static_cast<unsigned long long>(lane.delivered),
              it.core.recovered() ? ", recovered" : "", to_string(it.core.view()).c_str());
}

/// "9 steps over 0.1 s, from 2 images of the machine, 0 spoilt: the same decisions".
void print_summary(const char* what, const auto& result) {
  const auto u = [](std::uint64_t x) { return static_cast<unsigned long long>(x); };
  std::printf("%s: %llu steps over %.1f s, from %llu images, %llu spoilt: %s\n", what,
              u(result.steps), static_cast<double>(result.last - result.first) / 1e9,
              u(result.images), u(result.spoilt),
              result.steps == 0 ? "nothing to replay"
              : result.differs  ? "DIFFERS"
                                : "the same decisions");
  if (result.differs) std::printf("  %s\n", result.difference.c_str());
}

}  // namespace

int replay_file(const std::string& path, bool json) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return static_cast<int>(ExitCode::Usage);
  }
  const std::vector<std::byte> bytes = bytes_of(file);
  const std::size_t first = std::min(bytes.size(), membership::kTapeLayout.bytes());
  const auto lanes_file = std::span(bytes).subspan(
      recorder::is_tape(bytes, tape::kTapeLayout) ? 0 : first);  // A lanes.tape alone will do.
  const membership::Replay result = json ? membership::replay(std::span(bytes).first(first))
                                         : membership::replay(bytes, print_step);
  const tape::CoreReplay lanes =
      json ? tape::replay(lanes_file) : tape::replay(lanes_file, print_lane_step);
  const bool same = result.steps + lanes.steps > 0 && !result.differs && !lanes.differs;
  const auto u = [](std::uint64_t x) { return static_cast<unsigned long long>(x); };
  if (json) {
    std::printf(
        "{\"version\":1,\"file\":\"%s\",\"steps\":%llu,\"images\":%llu,\"spoilt\":%llu,"
        "\"seconds\":%.3f,\"lane_steps\":%llu,\"lane_images\":%llu,\"lane_installs\":%llu,"
        "\"lane_spoilt\":%llu,\"same\":%s,\"difference\":\"%s\"}\n",
        path.c_str(), u(result.steps), u(result.images), u(result.spoilt),
        static_cast<double>(result.last - result.first) / 1e9, u(lanes.steps), u(lanes.images),
        u(lanes.installs), u(lanes.spoilt), same ? "true" : "false",
        (result.differs ? result.difference : lanes.difference).c_str());
  } else {
    print_summary("membership", result);
    print_summary("lanes", lanes);
  }
  return static_cast<int>(same ? ExitCode::Fine : ExitCode::Failed);
}

}  // namespace phalanx::sim
