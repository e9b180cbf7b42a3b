#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "controlplane/daemon/state_file.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using controlplane::StateFile;

std::uint32_t crc32(const std::string& text) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (~(crc & 1) + 1));
  }
  return ~crc;
}

/// The folder of this process, gone when it ends. In memory if it can be: each input costs an
/// fsync.
const std::string& directory() {
  static const std::string path = [] {
    for (std::string name : {"/dev/shm/state-file-fuzz-XXXXXX", "/tmp/state-file-fuzz-XXXXXX"}) {
      if (mkdtemp(name.data()) != nullptr) return name;
    }
    PHX_CHECK(false);
  }();
  static const int cleanup = std::atexit([] {
    unlink((directory() + "/node3.state").c_str());
    rmdir(directory().c_str());
  });
  (void)cleanup;
  return path;
}

void write(const std::string& text) {
  std::FILE* file = std::fopen((directory() + "/node3.state").c_str(), "wb");
  PHX_CHECK(file != nullptr);
  PHX_CHECK(std::fwrite(text.data(), 1, text.size(), file) == text.size());
  PHX_CHECK(std::fclose(file) == 0);
}

}  // namespace

// Whatever the file holds, with a right checksum or without: it is refused, or the sequence goes on
// above it and the next process sees that it did.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  std::string text;
  const std::size_t how = in.choose(3);
  if (how == 0) text = "phalanx-state 1\nnode 3\nsequence " + std::to_string(in.number()) + "\n";
  const auto rest = in.bytes(1024);
  text.append(reinterpret_cast<const char*>(rest.data()), rest.size());
  if (how != 2) {
    std::array<char, 32> sum{};
    std::snprintf(sum.data(), sum.size(), "checksum %08" PRIx32 "\n", crc32(text));
    text += sum.data();
  }
  write(text);

  auto state = StateFile::open(directory(), 3);
  if (!state) return 0;
  PHX_CHECK(state->reserved() > state->used());
  const std::uint64_t before = state->reserved();
  const std::uint64_t wanted = state->used() + in.number() % (4 * StateFile::kBlock);
  if (state->reserve(wanted)) PHX_CHECK(state->reserved() >= std::max(wanted, before));
  const auto again = StateFile::open(directory(), 3);
  PHX_CHECK(!again || again->used() == state->reserved());
  return 0;
}
