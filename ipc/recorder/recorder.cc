#include "ipc/recorder/recorder.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::recorder {
namespace {

constexpr TimeNs kMeasure = 2 * kMillisecond;

Anchor anchor_now() noexcept {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  Anchor anchor{.ticks = ticks_now(),
                .monotonic = monotonic_now(),
                .wall_ns = static_cast<std::uint64_t>(wall.tv_sec) * kSecond +
                           static_cast<std::uint64_t>(wall.tv_nsec)};
  anchor.check = check_of(anchor);
  return anchor;
}

}  // namespace

std::uint64_t check_of(const FileHeader& header) noexcept {
  std::uint64_t sum = 0xcbf29ce484222325;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (std::size_t i = 0; i < offsetof(FileHeader, check); ++i) {
    sum = (sum ^ bytes[i]) * 0x100000001b3;
  }
  return sum;
}

Recorder::Recorder() noexcept : slots_(&spare_) {}

Expected<std::unique_ptr<Recorder>, Error> Recorder::open(const Options& options) {
  PHX_CHECK(std::has_single_bit(options.slots) && options.slots >= kSlotsMin &&
            options.slots <= kSlotsMax && options.nodes.size() <= kNodesMax);
  auto file = MappedFile::create(options.directory, options.writer + ".ring",
                                 kHeaderBytes + std::size_t{options.slots} * sizeof(Event));
  if (!file) return fail(std::move(file.error()));
  auto recorder = std::make_unique<Recorder>();
  recorder->file_ = std::move(*file);
  std::byte* at = recorder->file_.bytes().data();
  recorder->header_ = reinterpret_cast<FileHeader*>(at);
  recorder->slots_ = reinterpret_cast<Event*>(at + kHeaderBytes);
  recorder->mask_ = options.slots - 1;
  FileHeader& header = *recorder->header_;
  header.magic = kMagic;
  header.version = kVersion;
  header.slots = options.slots;
  header.pid = static_cast<std::uint32_t>(getpid());
  header.node = options.self.node;
  header.boot = options.self.boot;
  options.writer.copy(header.writer.data(), header.writer.size() - 1);
  header.node_count = static_cast<std::uint32_t>(options.nodes.size());
  std::copy(options.nodes.begin(), options.nodes.end(), header.nodes.begin());
  header.check = check_of(header);
  header.first = anchor_now();
  const timespec pause{.tv_sec = 0, .tv_nsec = static_cast<long>(kMeasure)};
  (void)nanosleep(&pause, nullptr);
  recorder->anchor();
  const std::uint64_t ticks = header.last[0].ticks - header.first.ticks;
  const TimeNs took =
      std::max<TimeNs>(header.last[0].monotonic - header.first.monotonic, kMicrosecond);
  recorder->anchor_interval_ = ticks * (100 * kMillisecond / kMicrosecond) / (took / kMicrosecond);
  recorder->note(Kind::Started, {.a = header.pid});
  return recorder;
}

Recorder::~Recorder() {
  if (header_ == nullptr) return;
  note(Kind::Stopped);
  anchor();
}

void Recorder::anchor() noexcept {
  if (header_ == nullptr) return;
  Anchor& place = header_->last[anchors_++ % 2];
  place = anchor_now();
  anchored_at_ = place.ticks;
}

std::uint64_t Recorder::bit_of(NodeId node) const noexcept {
  if (header_ == nullptr) return 0;
  const auto end = header_->nodes.begin() + header_->node_count;
  const auto at = std::find(header_->nodes.begin(), end, node);
  return at == end ? 0 : std::uint64_t{1} << (at - header_->nodes.begin());
}

}  // namespace phalanx::recorder
