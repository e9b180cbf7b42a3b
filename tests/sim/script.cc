#include "tests/sim/script.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace phalanx::sim {
namespace {

/// What is no step: a name, and where its amount is.
struct Constant {
  const char* name;
  std::uint32_t& (*amount)(Scenario&);
};

constexpr std::array kConstants{
    Constant{"drop", [](Scenario& s) -> std::uint32_t& { return s.faults.drop_ppm; }},
    Constant{"duplicate", [](Scenario& s) -> std::uint32_t& { return s.faults.duplicate_ppm; }},
    Constant{"corrupt", [](Scenario& s) -> std::uint32_t& { return s.faults.corrupt_ppm; }},
    Constant{"reorder", [](Scenario& s) -> std::uint32_t& { return s.faults.reorder_ppm; }},
    Constant{"forge", [](Scenario& s) -> std::uint32_t& { return s.faults.forge_ppm; }},
    Constant{"drift", [](Scenario& s) -> std::uint32_t& { return s.drift_ppm; }},
};

}  // namespace

std::vector<std::string> script_parts(const Scenario& scenario) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) parts.push_back(std::to_string(i));
  Scenario copy = scenario;
  for (const Constant& constant : kConstants) {
    if (constant.amount(copy) != 0) parts.emplace_back(constant.name);
  }
  return parts;
}

std::optional<Scenario> with_parts(const Scenario& scenario, std::span<const std::string> parts) {
  const std::vector<std::string> all = script_parts(scenario);
  const auto among = [](std::span<const std::string> names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& part : parts) {
    if (!among(all, part)) return std::nullopt;
  }
  Scenario out = scenario;
  out.steps.clear();
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    if (among(parts, std::to_string(i))) out.steps.push_back(scenario.steps[i]);
  }
  for (const Constant& constant : kConstants) {
    if (!among(parts, constant.name)) constant.amount(out) = 0;
  }
  return out;
}

std::string describe_script(const Scenario& scenario, std::span<const std::string> parts) {
  std::string out;
  Scenario copy = scenario;
  std::array<char, 160> line;
  for (const std::string& part : parts) {
    const auto constant = std::find_if(kConstants.begin(), kConstants.end(),
                                       [&](const Constant& c) { return c.name == part; });
    if (constant != kConstants.end()) {
      std::snprintf(line.data(), line.size(), "    %-4s %u ppm\n", part.c_str(),
                    constant->amount(copy));
    } else {
      const Step& step = scenario.steps[std::stoul(part)];
      std::snprintf(line.data(), line.size(),
                    "    %-4s at %.3f ms %s node n%u peer n%u mask %llx span %.3f ms\n",
                    part.c_str(), static_cast<double>(step.at) / 1e6, name_of(step.kind), step.node,
                    step.peer, static_cast<unsigned long long>(step.mask),
                    static_cast<double>(step.span) / 1e6);
    }
    out += line.data();
  }
  return out;
}

std::string join_parts(std::span<const std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ",") + part;
  return out.empty() ? "none" : out;
}

std::vector<std::string> split_parts(std::string_view text) {
  std::vector<std::string> out;
  if (text == "none") return out;
  for (;;) {
    const std::size_t comma = text.find(',');
    out.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

const char* name_of(Step::Kind kind) noexcept {
  switch (kind) {
    case Step::Kind::Partition:
      return "partition";
    case Step::Kind::CutOneWay:
      return "cut-one-way";
    case Step::Kind::Cut:
      return "cut";
    case Step::Kind::HealLinks:
      return "heal-links";
    case Step::Kind::Stall:
      return "stall";
    case Step::Kind::StallControl:
      return "stall-control";
    case Step::Kind::Kill:
      return "kill";
    case Step::Kind::KillData:
      return "kill-data";
    case Step::Kind::KillControl:
      return "kill-control";
    case Step::Kind::Leave:
      return "leave";
    case Step::Kind::LoseDisk:
      return "lose-disk";
    case Step::Kind::PauseReaders:
      return "pause-readers";
    case Step::Kind::Burst:
      return "burst";
    case Step::Kind::CutManagement:
      return "cut-management";
    case Step::Kind::LinkDown:
      return "link-down";
    case Step::Kind::ClockJump:
      return "clock-jump";
    case Step::Kind::KillAtAction:
      return "kill-at-action";
    case Step::Kind::KillControlAtAction:
      return "kill-control-at-action";
    case Step::Kind::VoteOrder:
      return "vote-order";
    case Step::Kind::HoldNextKey:
      return "hold-next-key";
    case Step::Kind::GoOverToNextKey:
      return "go-over-to-next-key";
    case Step::Kind::Mute:
      return "mute";
  }
  return "?";
}

}  // namespace phalanx::sim
