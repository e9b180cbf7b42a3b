#include <cerrno>
#include <string>

#include "tests/unit/transport_verbs/fixture.h"
#include "tests/unit/transport_wire/samples.h"
#include "transport/wire/frame_seal.h"

/// Frames whose payload the adapter reads from where it lies.
namespace phalanx::transport::verbs {
namespace {

using Bytes = std::span<const std::byte>;

class VerbsGather : public VerbsTransport {
 protected:
  VerbsGather() {
    config_.gathers = true;
    for (std::size_t i = 0; i < log_.size(); ++i) log_[i] = static_cast<std::byte>('a' + i % 26);
  }

  Bytes part(std::size_t from, std::size_t bytes) const { return Bytes(log_).subspan(from, bytes); }
  static std::string text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  Expected<bool, Error> lend() {
    const std::array<Bytes, 2> all = {stream_, log_};
    return wire_->lend_memory(all);
  }
  void start_lent() {
    start();
    ASSERT_EQ(lend(), true);
  }
  /// "<<" and ">>" before and after the payload.
  TxFrame frame_around(Bytes payload) {
    TxFrame frame;
    EXPECT_EQ(wire_->tx_alloc(std::span(&frame, 1)), 1U);
    EXPECT_EQ(frame.gathered_at, 0U) << "as it is lent";
    std::memcpy(frame.bytes.data(), "<<>>", 4);
    frame.length = 4 + payload.size();
    frame.gathered_at = 2;
    frame.gathered = payload;
    frame.to = kMembers;
    return frame;
  }
  void send_around(Bytes payload, Destination to = kMembers) {
    TxFrame frame = frame_around(payload);
    frame.to = to;
    wire_->tx_burst(std::span(&frame, 1));
  }
  std::uint64_t gathered() const {
    std::array<ExtendedCounter, 4> rows;
    const std::size_t count = wire_->extended(rows);
    EXPECT_LE(count, 1U);
    return count == 0 ? 0 : rows[0].value;
  }

  std::vector<std::byte> log_ = std::vector<std::byte>(8192);
  std::vector<std::byte> stream_ = std::vector<std::byte>(4096, std::byte{'s'});
};

TEST_F(VerbsGather, TakesThePayloadFromWhereItLies) {
  start_lent();

  send_around(part(100, 600));

  ASSERT_EQ(fake::state().sent.size(), 1U);
  const fake::Sent& sent = fake::state().sent[0];
  EXPECT_EQ(sent.payload, "<<" + text(part(100, 600)) + ">>");
  ASSERT_EQ(sent.pieces.size(), 3U);
  EXPECT_EQ(sent.pieces[1].addr, reinterpret_cast<std::uintptr_t>(&log_[100]));
  EXPECT_EQ(sent.flags, static_cast<unsigned>(IBV_SEND_SIGNALED)) << "nothing is copied inline";
  EXPECT_EQ(wire_->counters().tx_frames, 1U);
  EXPECT_EQ(wire_->counters().tx_bytes, 604U);
  EXPECT_EQ(gathered(), 1U);
}

TEST_F(VerbsGather, KnowsEachPieceOfMemoryByItsOwnKey) {
  start_lent();

  send_around(part(0, 512));
  send_around(Bytes(stream_).last(600));
  send_around(part(8192 - 512, 512));

  ASSERT_EQ(fake::state().sent.size(), 3U);
  EXPECT_EQ(fake::state().sent[1].payload, "<<" + std::string(600, 's') + ">>");
  EXPECT_EQ(fake::state().sent[0].pieces[1].lkey, fake::state().sent[2].pieces[1].lkey);
  EXPECT_NE(fake::state().sent[0].pieces[1].lkey, fake::state().sent[1].pieces[1].lkey);
}

TEST_F(VerbsGather, MixesWithFramesThatAreCopied) {
  start_lent();
  std::array<TxFrame, 3> frames;
  ASSERT_EQ(wire_->tx_alloc(frames), 3U);
  for (TxFrame& frame : frames) {
    std::memcpy(frame.bytes.data(), "abcd", 4);
    frame.length = 4;
  }
  frames[1].length += 512;
  frames[1].gathered_at = 1;
  frames[1].gathered = part(0, 512);

  wire_->tx_burst(frames);

  ASSERT_EQ(fake::state().sent.size(), 3U);
  EXPECT_EQ(fake::state().sent[0].payload, "abcd");
  EXPECT_EQ(fake::state().sent[1].payload, "a" + text(part(0, 512)) + "bcd");
  EXPECT_EQ(fake::state().sent[2].payload, "abcd");
  EXPECT_EQ(fake::state().sent[0].flags, static_cast<unsigned>(IBV_SEND_INLINE));
  EXPECT_EQ(fake::state().sent[1].flags, 0U);
  EXPECT_EQ(wire_->counters().tx_bytes, 12U + 512U);
  EXPECT_EQ(gathered(), 1U);
}

// The receivers' copies are read one after another, perhaps long after: header and tag must stay in
// the buffer until the last one has left.
TEST_F(VerbsGather, KeepsTheBufferUntilTheLastCopyHasLeft) {
  config_.group.clear();
  start_lent();
  for (const NodeId node : {2U, 3U}) {
    const std::string address = "10.0.0." + std::to_string(node);
    fake::announce(address, 5405,
                   {.node = node,
                    .queue_pair = 20 + node,
                    .qkey = 0x1ee7,
                    .frame_bytes = 1024,
                    .gid = *gid_of(address)});
  }
  (void)wire_->ports();
  fake::state().reads_late = true;
  fake::state().holds_sends = true;
  const Destination everyone{.kind = Destination::Kind::Everyone};
  std::array<TxFrame, 32> room;

  send_around(part(0, 512), everyone);
  std::size_t others = 0;
  for (std::size_t lent = 0; (lent = wire_->tx_alloc(room)) > 0; others += lent) {
    for (TxFrame& frame : std::span(room).first(lent)) {
      std::memset(frame.bytes.data(), '!', 4);
      frame.length = 4;
      frame.to = everyone;
    }
    wire_->tx_burst(std::span(room).first(lent));
  }
  fake::read_posted();

  EXPECT_EQ(others, 63U) << "all other buffers were used meanwhile";
  for (const std::size_t copy : {0U, 1U}) {
    EXPECT_EQ(fake::state().sent[copy].payload, "<<" + text(part(0, 512)) + ">>");
  }
  EXPECT_EQ(gathered(), 2U) << "copies count like any";
}

TEST_F(VerbsGather, RefusesAFrameThatIsTooLongInAll) {
  start_lent();

  send_around(part(0, 1021));

  EXPECT_TRUE(fake::state().sent.empty());
  EXPECT_EQ(wire_->counters().tx_refused, 1U);
  EXPECT_EQ(gathered(), 0U);
}

TEST_F(VerbsGather, CountsOnlyWhatTheQueueTook) {
  start_lent();
  fake::state().post_send_error = ENOMEM;

  send_around(part(0, 700));

  EXPECT_EQ(wire_->counters().tx_refused, 1U);
  EXPECT_EQ(wire_->counters().tx_bytes, 0U);
  EXPECT_EQ(gathered(), 0U);
}

TEST_F(VerbsGather, GoesOnAfterTheQueuePairWasReset) {
  start_lent();
  fake::state().reads_late = true;
  send_around(part(0, 512));
  fake::state().events.push_back({.type = IBV_EVENT_QP_FATAL, .port = 0});
  fake::state().now += kSecond;
  (void)wire_->ports();
  (void)receive();
  ASSERT_TRUE(fake::state().posted.empty()) << "what waited is gone";

  send_around(part(512, 600));
  fake::read_posted();

  ASSERT_EQ(fake::state().sent.size(), 1U);
  EXPECT_EQ(fake::state().sent[0].payload, "<<" + text(part(512, 600)) + ">>");
}

TEST_F(VerbsGather, GivesTheAdapterNoWayToWriteThere) {
  start_lent();
  ASSERT_EQ(fake::state().regions.size(), 3U);
  EXPECT_EQ(fake::state().regions[1].access, calls::kReadOnly);
  EXPECT_EQ(fake::state().regions[2].access, calls::kReadOnly);
}

TEST_F(VerbsGather, IsForThoseWhoAskForIt) {
  config_.gathers = false;
  start();
  EXPECT_EQ(lend(), false);
  EXPECT_EQ(fake::state().pieces_most, 1U);
  EXPECT_EQ(fake::state().regions.size(), 1U);
}

TEST_F(VerbsGather, IsNotForAnAdapterThatTakesTooFewPieces) {
  fake::state().limits.max_sge = 2;
  start();
  EXPECT_EQ(lend(), false);
  EXPECT_EQ(fake::state().pieces_most, 1U);
}

// Buffers are whole hugepages: 2 MiB here. Log and stream are 12 KiB.
TEST_F(VerbsGather, RefusesBeforeAnythingIsRegisteredWhatMayNotBeLocked) {
  fake::state().lockable = 2060 << 10;
  start_lent();
  wire_.reset();
  fake::state().lockable = 2059 << 10;
  start();

  const auto lent = lend();

  ASSERT_FALSE(lent);
  const std::string told = lent.error().text();
  for (const char* words : {"12 KiB of logs and streams", "2060 KiB", "RLIMIT_MEMLOCK is 2059 KiB",
                            "LimitMEMLOCK=infinity", "lane.log"}) {
    EXPECT_NE(told.find(words), std::string::npos) << told;
  }
  EXPECT_EQ(fake::state().regions.size(), 1U);
}

// The kernel counts a process, and a node has a transport for each worker.
TEST_F(VerbsGather, CountsWhatTheOtherWorkersHaveLocked) {
  fake::state().lockable = 4095 << 10;
  start();
  const std::string told = refusal();
  for (const char* words : {"2048 KiB of packet buffers", "already that is 4096 KiB", "4095 KiB"}) {
    EXPECT_NE(told.find(words), std::string::npos) << told;
  }
  wire_.reset();
  start();
}

TEST_F(VerbsGather, RefusesBuffersThatMayNotBeLocked) {
  fake::state().lockable = 2047 << 10;
  const std::string told = refusal();
  for (const char* words :
       {"2048 KiB of packet buffers", "RLIMIT_MEMLOCK is 2047 KiB", "LimitMEMLOCK=infinity"}) {
    EXPECT_NE(told.find(words), std::string::npos) << told;
  }
}

// The adapter's own queues are locked memory, too: how much only its driver knows.
TEST_F(VerbsGather, KeepsNothingWhenTheKernelRefuses) {
  start();
  fake::state().register_error = ENOMEM;
  fake::state().registers_fine = 2;

  const auto lent = lend();

  ASSERT_FALSE(lent);
  EXPECT_NE(lent.error().text().find("ibv_reg_mr"), std::string::npos) << lent.error().text();
  EXPECT_NE(lent.error().text().find("LimitMEMLOCK"), std::string::npos) << lent.error().text();
  EXPECT_EQ(fake::state().regions.size(), 1U) << "the buffers'";
}

/// A frame of node 1's, sealed around log memory and sent by the fake when the test says so; node 2
/// looks at what arrives.
class LateRead : public VerbsGather {
 protected:
  LateRead() {
    for (wire::KeyTable* keys : {&one_, &two_}) keys->install(wire::samples::view(1), kBoth);
    fake::state().reads_late = true;
  }
  void post() {
    TxFrame frame = frame_around(part(0, 900));
    sealer_.seal_around(wire::FrameType::Ordered, 0, 4096, frame.gathered,
                        frame.bytes.first<wire::kOverheadBytes>());
    frame.length = wire::kOverheadBytes + frame.gathered.size();
    frame.gathered_at = wire::kHeaderBytes;
    wire_->tx_burst(std::span(&frame, 1));
  }
  wire::FrameVerdict arrives() {
    fake::read_posted();
    const std::string& payload = fake::state().sent.at(0).payload;
    wire::CheckedFrame frame = opener_.check(std::as_bytes(std::span(payload)));
    if (frame.verdict == wire::FrameVerdict::Good) (void)opener_.open(frame, opened_.data());
    return frame.verdict;
  }

  static wire::KeyTable table(NodeId self) {
    return wire::KeyTable(
        {.cipher = wire::Cipher::Insecure, .self = kBoth[self - 1], .lanes = 1, .nodes = {1, 2}},
        wire::insecure_cluster_key("c"));
  }
  static inline const std::vector<Member> kBoth = {{1, wire::samples::boot(1)},
                                                   {2, wire::samples::boot(2)}};
  wire::KeyTable one_ = table(1);
  wire::KeyTable two_ = table(2);
  wire::FrameSealer sealer_{one_};
  wire::FrameOpener opener_{two_};
  std::vector<std::byte> opened_ = std::vector<std::byte>(900);
};

TEST_F(LateRead, IsFineWhileTheLogStaysAsItWas) {
  start_lent();
  post();
  EXPECT_EQ(arrives(), wire::FrameVerdict::Good);
  EXPECT_EQ(text(opened_), text(part(0, 900)));
}

TEST_F(LateRead, OfALogThatWasWrittenOverIsDroppedForItsTag) {
  start_lent();
  post();
  std::fill_n(log_.begin(), 900, std::byte{'z'});
  EXPECT_EQ(arrives(), wire::FrameVerdict::BadTag);
}

// Between two reads of the adapter's the worker may write: each word of the payload counts.
TEST_F(LateRead, OfALogThatWasWrittenOverInPartIsDroppedForItsTag) {
  for (const std::size_t at : {0U, 8U, 17U, 450U, 899U}) {
    SCOPED_TRACE(at);
    fake::state().sent.clear();
    wire_.reset();
    start_lent();
    post();
    const std::byte before = std::exchange(log_[at], std::byte{'Z'});
    EXPECT_EQ(arrives(), wire::FrameVerdict::BadTag);
    log_[at] = before;
  }
}

}  // namespace
}  // namespace phalanx::transport::verbs
