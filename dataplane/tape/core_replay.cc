#include "dataplane/tape/core_replay.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/memory/lane_rings.h"
#include "ipc/base/bytes.h"
#include "transport/wire/codec.h"
#include "transport/wire/messages.h"

namespace phalanx::tape {
namespace {

/// A core of an image, in memory of its own.
class Machine {
 public:
  static std::unique_ptr<Machine> of_image(std::span<const std::byte> image) {
    const auto sizes = take_sizes(image);
    if (!sizes) return nullptr;
    auto rings = dataplane::LaneRings::create(sizes->config, sizes->nodes);
    if (!rings) return nullptr;
    std::unique_ptr<Machine> machine(new Machine(*sizes, std::move(*rings)));
    return machine->core_.restore(image) ? std::move(machine) : nullptr;
  }

  [[nodiscard]] const core::Core& core() const { return core_; }

  /// Makes the call and returns its outcome; nothing when the core must not be called so.
  std::optional<std::uint64_t> apply(const Step& step, std::span<const std::byte> bytes) {
    switch (step.kind) {
      case StepKind::Report:
        return report(bytes);
      case StepKind::Plan:
        return plan(step, bytes);
      case StepKind::Install:
        return install(step, bytes);
      case StepKind::Frame:
        return frame(step, bytes);
      case StepKind::Time:
        core_.on_time(step.now);
        return core_.digest();
      case StepKind::Poll: {
        std::vector<core::TxItem> items(std::min<Position>(step.position, 4096));
        const std::size_t count = core_.poll_tx(items, step.now);
        return outcome_of(std::span(items).first(count));
      }
      case StepKind::Freeze:
        core_.freeze();
        return core_.digest();
      case StepKind::Readers:
        return set_readers(bytes) ? std::optional<std::uint64_t>(0) : std::nullopt;
      case StepKind::Reserve:
      case StepKind::Commit:
      case StepKind::Cancel:
        return submit(step, bytes);
      case StepKind::Distrust:
        core_.set_distrust(step.flag != 0);
        return 0;
    }
    return std::nullopt;
  }

 private:
  Machine(const Sizes& sizes, dataplane::LaneRings rings)
      : config_(sizes.config),
        nodes_(sizes.nodes),
        rings_(std::move(rings)),
        core_(sizes.config, rings_.lanes()) {}

  std::optional<std::uint64_t> report(std::span<const std::byte> bytes) {
    wire::Reader reader(bytes);
    const ViewId attempt = reader.take_some_view();
    if (!reader.finished()) return std::nullopt;
    if (!core_.frozen()) return std::nullopt;
    std::vector<std::byte> report;
    wire::encode(core_.report(attempt), report);
    return outcome_of_report(report);
  }

  std::optional<std::uint64_t> plan(const Step& step, std::span<const std::byte> bytes) {
    const auto plan = take_plan(bytes);
    if (!plan || !core_.frozen()) return std::nullopt;
    const bool taken = core_.begin_recovery(*plan, step.now);
    if (taken) planned_ = *plan;
    return outcome_of(core_, taken);
  }

  std::optional<std::uint64_t> install(const Step& step, std::span<const std::byte> bytes) {
    const auto plan = take_plan(bytes);
    const bool allowed = plan && plan == planned_ && core_.recovered() &&
                         plan->attempt.sequence > core_.view().sequence;
    if (!allowed) return std::nullopt;
    core_.install(*plan, step.now, step.flag != 0);
    planned_.reset();
    return outcome_of_install(core_);
  }

  std::optional<std::uint64_t> frame(const Step& step, std::span<const std::byte> bytes) {
    const wire::FrameHeader header{.type = static_cast<wire::FrameType>(step.flag),
                                   .lane = step.lane,
                                   .sender = step.sender,
                                   .position = step.position};
    return static_cast<std::uint64_t>(core_.accept(header, bytes, step.now));
  }

  /// What a client of this node sent.
  std::optional<std::uint64_t> submit(const Step& step, std::span<const std::byte> bytes) {
    if (!config_.share().has(step.lane)) return std::nullopt;
    std::size_t& reserved = reserved_[step.lane];
    if (step.kind == StepKind::Cancel) {
      core_.cancel(step.lane);
      return 0;
    }
    if (step.kind == StepKind::Reserve) {
      if (step.position > config_.record_bytes_max - core::record_bytes(0)) return std::nullopt;
      const auto size = static_cast<std::uint32_t>(step.position);
      if (core::record_bytes(size) > config_.record_bytes_max) return std::nullopt;
      const bool has_room = core_.reserve(step.lane, size) != nullptr;
      if (has_room) reserved = size;
      return has_room ? 1 : 0;
    }
    std::byte* room = core_.reserved(step.lane);
    if (room == nullptr || bytes.size() != core::kRecordHeaderBytes + reserved) return std::nullopt;
    core::RecordHeader header = core::decode_record_header(bytes.data());
    header.payload_bytes = static_cast<std::uint32_t>(reserved);
    std::ranges::copy(bytes.subspan(core::kRecordHeaderBytes), room);
    core_.commit(step.lane, header);
    return 0;
  }

  /// Readers bound what may be received, and what a plan may ask for: they stand where they stood.
  bool set_readers(std::span<const std::byte> bytes) {
    const core::LaneShare share = config_.share();
    if (bytes.size() != std::size_t{8} * share.count()) return false;
    const std::byte* next = bytes.data();
    for (LaneId lane = share.first; lane < share.lanes; lane += share.step, next += 8) {
      if (!core_.set_reader_at(lane, load_le<std::uint64_t>(next))) return false;
    }
    return true;
  }

  std::optional<wire::Plan> take_plan(std::span<const std::byte> bytes) const {
    auto plan = wire::decode_plan(bytes);
    if (!plan || plan->members.size() > nodes_) return std::nullopt;
    return std::move(*plan);
  }

  core::CoreConfig config_;
  std::size_t nodes_;
  std::array<std::size_t, kLanesMax> reserved_{};  ///< Bytes of the last room in each lane.
  dataplane::LaneRings rings_;
  core::Core core_;
  std::optional<wire::Plan> planned_;
};

}  // namespace

CoreReplay replay(std::span<const std::byte> file,
                  const std::function<void(const CoreReplayStep&)>& each) {
  CoreReplay result;
  std::unique_ptr<Machine> machine;
  for (const recorder::TapeRecord& record : recorder::read_tape(file, kTapeLayout)) {
    if (record.image) {
      machine = Machine::of_image(record.payload);
      (machine ? result.images : result.spoilt) += 1;
      continue;
    }
    if (!machine) continue;
    const auto step = decode_step(record.payload);
    const auto bytes = record.payload.subspan(step ? kStepBytes : 0);
    const auto outcome = step ? machine->apply(*step, bytes) : std::nullopt;
    if (!outcome) {
      ++result.spoilt;
      machine.reset();  // What follows would differ for no reason.
      continue;
    }
    if (result.steps++ == 0) result.first = step->now;
    result.last = step->now;
    if (each) each({record.number, *step, bytes.size(), machine->core()});
    if (*outcome != step->outcome) {
      result.differs = true;
      result.difference = "step " + std::to_string(record.number) + " (" +
                          std::string(to_string(step->kind)) + " at " + std::to_string(step->now) +
                          ") came out otherwise";
      return result;
    }
    if (step->kind == StepKind::Install) ++result.installs;
  }
  return result;
}

}  // namespace phalanx::tape
