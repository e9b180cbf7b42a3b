#include "controlplane/daemon/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "controlplane/daemon/durable_file.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {
namespace {

constexpr std::size_t kFileBytesMax = 512;
/// No cluster gets there: what is above would wrap around, and a sequence never goes back.
constexpr std::uint64_t kSequenceMax = std::uint64_t{1} << 62;

/// CRC-32 (IEEE), bit by bit: the file has some 60 bytes.
std::uint32_t crc32(std::string_view text) noexcept {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (~(crc & 1) + 1));
  }
  return ~crc;
}

std::string format(NodeId node, std::uint64_t reserved) {
  std::string text = "phalanx-state 1\nnode " + std::to_string(node) + "\nsequence " +
                     std::to_string(reserved) + "\n";
  std::array<char, 32> sum{};
  std::snprintf(sum.data(), sum.size(), "checksum %08" PRIx32 "\n", crc32(text));
  return text + sum.data();
}

struct Content {
  NodeId node = 0;
  std::uint64_t reserved = 0;
};

/// Empty unless the text is, byte by byte, what format() writes.
std::optional<Content> parse(const std::string& text) {
  Content content;
  if (std::sscanf(text.c_str(), "phalanx-state 1\nnode %" SCNu32 "\nsequence %" SCNu64,
                  &content.node, &content.reserved) != 2) {
    return std::nullopt;
  }
  if (text != format(content.node, content.reserved)) return std::nullopt;
  return content;
}

}  // namespace

Expected<StateFile, Error> StateFile::open(const std::string& directory, NodeId node) {
  StateFile state(directory, directory + "/node" + std::to_string(node) + ".state", node);
  const Fd fd(::open(state.path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno != ENOENT) {
    return fail(system_error("cannot read the state file " + state.path_, "open", errno,
                             state_file_remedy(errno, directory)));
  }
  if (fd) {
    std::string text(kFileBytesMax, '\0');
    const ssize_t bytes = ::read(fd.get(), text.data(), text.size());
    if (bytes < 0) {
      return fail(system_error("cannot read the state file " + state.path_, "read", errno,
                               state_file_remedy(errno, directory)));
    }
    text.resize(static_cast<std::size_t>(bytes));
    const auto content = parse(text);
    std::string wrong;
    if (!content) {
      wrong = "its checksum does not match its content";
    } else if (content->node != node) {
      wrong = "it belongs to node " + std::to_string(content->node) + ", this is node " +
              std::to_string(node);
    } else if (content->reserved > kSequenceMax) {
      wrong = "its sequence " + std::to_string(content->reserved) + " is above " +
              std::to_string(kSequenceMax);
    }
    if (!wrong.empty()) {
      return fail(Error{
          .code = ExitCode::Failed,
          .attempted = "cannot use the state file " + state.path_,
          .observed = std::move(wrong),
          .remedy =
              "restore it from a copy (an older one will do), or delete it: the view sequence "
              "then starts again from what the peers have seen"});
    }
    state.used_ = content->reserved;
  }
  if (auto done = state.write(state.used_ + 2 * kBlock); !done)
    return fail(std::move(done.error()));
  return state;
}

Expected<void, Error> StateFile::reserve(std::uint64_t sequence) {
  if (sequence <= reserved_) return {};
  return write((sequence + kBlock - 1) / kBlock * kBlock);
}

Expected<void, Error> StateFile::write(std::uint64_t reserved) {
  if (auto done = write_durably(directory_, path_, format(node_, reserved)); !done) return done;
  reserved_ = reserved;
  return {};
}

}  // namespace phalanx::controlplane
