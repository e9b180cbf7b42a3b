#include "ipc/recorder/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "ipc/base/fd.h"

namespace phalanx::recorder {
namespace {

constexpr std::size_t kFileBytesMax = kHeaderBytes + std::size_t{kSlotsMax} * sizeof(Event);

bool whole(const Anchor& anchor) noexcept {
  return anchor.ticks != 0 && anchor.check == check_of(anchor);
}

bool sound(const FileHeader& header) noexcept {
  return header.magic == kMagic && header.version == kVersion && header.slots >= kSlotsMin &&
         header.slots <= kSlotsMax && (header.slots & (header.slots - 1)) == 0 &&
         header.node_count <= kNodesMax && header.writer.back() == '\0' &&
         header.check == check_of(header);
}

Clock clock_of(const FileHeader& header) noexcept {
  Anchor later;
  for (const Anchor& anchor : header.last) {
    if (whole(anchor) && anchor.ticks > later.ticks) later = anchor;
  }
  if (whole(header.first) && later.ticks > header.first.ticks) return {header.first, later};
  // The first one is spoilt: the two newest are 100 ms apart, which is good enough.
  const auto& [one, other] = header.last;
  if (whole(one) && whole(other))
    return one.ticks < other.ticks ? Clock(one, other) : Clock(other, one);
  return {};
}

bool is_empty(std::span<const std::byte> slot) noexcept {
  return std::all_of(slot.begin(), slot.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

std::uint64_t Clock::wall_of(std::uint64_t ticks) const noexcept {
  if (!known()) return 0;
  const double rate = static_cast<double>(later_.monotonic - earlier_.monotonic) /
                      static_cast<double>(later_.ticks - earlier_.ticks);
  const bool before = ticks < later_.ticks;
  const std::uint64_t apart = before ? later_.ticks - ticks : ticks - later_.ticks;
  const double away = static_cast<double>(apart) * rate;
  // A scribbled number must not overflow: nothing is further off than the clock goes.
  constexpr double kFarthest = 9.2e18;
  if (!(away >= 0 && away < kFarthest)) return 0;
  const auto ns = static_cast<std::uint64_t>(away);
  if (before) return later_.wall_ns > ns ? later_.wall_ns - ns : 0;
  return later_.wall_ns + ns;
}

std::string Ring::writer() const {
  return std::string(header.writer.data(), strnlen(header.writer.data(), header.writer.size()));
}

std::vector<NodeId> Ring::nodes_of(std::uint64_t set) const {
  std::vector<NodeId> nodes;
  for (std::size_t i = 0; i < std::min<std::size_t>(header.node_count, kNodesMax); ++i) {
    if ((set >> i & 1) != 0) nodes.push_back(header.nodes[i]);
  }
  return nodes;
}

Ring decode(std::span<const std::byte> file, std::uint64_t after) {
  Ring ring;
  FileHeader header;
  if (file.size() >= sizeof header) {
    std::memcpy(&header, file.data(), sizeof header);
    ring.clock = clock_of(header);
    ring.header_sound = sound(header);
    if (ring.header_sound) ring.header = header;
  }
  if (file.size() <= kHeaderBytes) return ring;
  const auto slots =
      file.subspan(kHeaderBytes, std::min(file.size(), kFileBytesMax) - kHeaderBytes);
  const std::size_t whole_slots = slots.size() / sizeof(Event);
  const std::size_t due = ring.header_sound ? ring.header.slots : whole_slots;
  if (due > whole_slots) ring.cut_bytes = due * sizeof(Event) - slots.size();
  for (std::size_t i = 0; i < std::min(due, whole_slots); ++i) {
    const auto slot = slots.subspan(i * sizeof(Event), sizeof(Event));
    Event event;
    std::memcpy(&event, slot.data(), sizeof event);
    const bool in_place = !ring.header_sound || (event.number - 1) % ring.header.slots == i;
    if (event.number != 0 && event.check == check_of(event) && in_place) {
      if (event.number > after) ring.events.push_back(event);
    } else if (!is_empty(slot)) {
      ++ring.spoilt;
    }
  }
  std::sort(ring.events.begin(), ring.events.end(),
            [](const Event& x, const Event& y) { return x.number < y.number; });
  return ring;
}

Expected<Ring, Error> read_file(const std::string& path, std::uint64_t after) {
  const std::string attempted = "cannot read the flight recorder " + path;
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return fail(system_error(attempted, "open", errno));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return fail(system_error(attempted, "fstat", errno));
  if (!S_ISREG(status.st_mode)) {
    return fail(Error{.attempted = attempted,
                      .observed = "it is not a file",
                      .remedy = "name one that ends in .ring"});
  }
  std::vector<std::byte> bytes(
      std::min<std::size_t>(static_cast<std::size_t>(status.st_size), kFileBytesMax));
  std::size_t read = 0;
  while (read < bytes.size()) {
    const ssize_t got =
        pread(file.get(), bytes.data() + read, bytes.size() - read, static_cast<off_t>(read));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(attempted, "pread", errno));
    if (got == 0) break;  // Cut meanwhile.
    read += static_cast<std::size_t>(got);
  }
  bytes.resize(read);
  Ring ring = decode(bytes, after);
  if (!ring.header_sound && ring.events.empty() && after == 0) {
    return fail(Error{
        .attempted = attempted,
        .observed = "nothing in its " + std::to_string(read) + " bytes is an event of a recorder",
        .remedy = "name one that ends in .ring, of this version of Phalanx"});
  }
  return ring;
}

std::vector<std::string> list_files(const std::string& directory, bool dead) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const std::size_t at = name.find(".ring");
    if (at == std::string::npos) continue;
    const std::string age = name.substr(at + 5);
    if (age.empty() || (dead && age.size() == 2 && age[0] == '.')) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace phalanx::recorder
