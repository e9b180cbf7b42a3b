#include <array>
#include <memory>
#include <vector>

#include "dataplane/tape/core_replay.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"
#include "tests/unit/dataplane_core/bench.h"

namespace {

using namespace phalanx;
using namespace phalanx::tape;

struct Record {
  bool image;
  std::vector<std::byte> payload;
};

/// Two view changes of a busy node over a wire that loses frames.
std::vector<Record> real_records() {
  core::testing::Bench bench(3);
  std::vector<std::byte> memory(kTapeLayout.bytes());
  CoreTape tape(memory, bench.config(0), 3);
  bench[0].tape = &tape;
  bench.change_view({0, 1, 2});
  bench.step(50);
  bench.drop_percent = 25;
  for (int i = 0; i < 8; ++i) {
    for (const std::size_t node : {0U, 1U, 2U}) (void)bench.submit(node, "m" + std::to_string(i));
    bench.step(2);
  }
  bench.change_view({0, 1, 2});
  std::vector<Record> records;
  for (const recorder::TapeRecord& record : recorder::read_tape(memory, kTapeLayout)) {
    records.push_back({record.image, {record.payload.begin(), record.payload.end()}});
  }
  return records;
}

}  // namespace

// A tape with right checksums, of a real node's records that somebody has changed, left out,
// repeated or put in another order: replayed, found to differ, or counted as spoilt; no more.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Record> records = real_records();
  // Numbers begin anew with each input: what an earlier one left would follow on.
  static std::vector<std::byte> memory(kTapeLayout.bytes());
  static std::size_t used = memory.size();
  std::fill_n(memory.begin(), used, std::byte{0});
  fuzz::Input in(data, size);
  recorder::TapeWriter writer(memory, kTapeLayout);
  // Where the changes are, and what they are; all else is as it was.
  for (std::size_t i = 0; i < records.size(); ++i) {
    std::vector<std::byte> payload = records[i].payload;
    std::size_t times = 1;
    switch (in.empty() ? 0 : in.choose(8)) {
      case 1:
        for (std::size_t changes = 1 + in.choose(3); changes > 0; --changes) {
          const std::size_t at = in.take(2) % payload.size();
          payload[at] = static_cast<std::byte>(in.take(1));
        }
        break;
      case 2: {  // A whole number.
        const std::size_t at = in.take(2) % payload.size();
        const std::uint64_t number = in.number();
        for (std::size_t b = 0; b < 8 && at + b < payload.size(); ++b) {
          payload[at + b] = static_cast<std::byte>(number >> (8 * b));
        }
        break;
      }
      case 3:
        payload.resize(in.take(2) % (payload.size() + 1));
        break;
      case 4:
        times = in.choose(3);
        break;
      case 5:
        payload = records[in.choose(records.size())].payload;
        break;
      default:
        break;
    }
    for (; times > 0; --times) {
      PHX_CHECK(records[i].image ? writer.image({payload}) : writer.step({payload}));
    }
  }
  used = kTapeLayout.bytes() - kTapeLayout.segment_bytes - writer.room();
  const CoreReplay result = replay(memory);
  PHX_CHECK(result.installs <= result.steps);
  return 0;
}
