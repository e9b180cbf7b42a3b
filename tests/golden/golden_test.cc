// What the code writes, against frames made from deploy/doc/wire.md by tests/golden/make.py.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "dataplane/core/record.h"
#include "dataplane/core/row.h"
#include "tests/unit/transport_wire/samples.h"
#include "transport/wire/fragments.h"
#include "transport/wire/frame_seal.h"

namespace phalanx::wire {
namespace {

using Bytes = std::vector<std::byte>;

Bytes golden(const std::string& name) {
  const char* folder = std::getenv("PHX_GOLDEN");
  EXPECT_NE(folder, nullptr);
  if (folder == nullptr) return {};
  std::ifstream file(std::string(folder) + "/" + name + ".hex");
  EXPECT_TRUE(file.good()) << name;
  Bytes out;
  std::string line;
  while (std::getline(file, line)) {
    for (std::size_t i = 0; i + 1 < line.size(); i += 2) {
      out.push_back(static_cast<std::byte>(std::stoi(line.substr(i, 2), nullptr, 16)));
    }
  }
  return out;
}

template <class T>
Bytes bytes_of(const T& message) {
  Bytes out;
  encode(message, out);
  return out;
}

TEST(Golden, MessagesAreWrittenAsTheTablesSay) {
  EXPECT_EQ(bytes_of(samples::hello()), golden("message-hello"));
  EXPECT_EQ(bytes_of(samples::prepare()), golden("message-prepare"));
  EXPECT_EQ(bytes_of(samples::refusal()), golden("message-refusal"));
  EXPECT_EQ(bytes_of(samples::report()), golden("message-report"));
  EXPECT_EQ(bytes_of(samples::plan()), golden("message-plan"));
  EXPECT_EQ(bytes_of(samples::done()), golden("message-done"));
}

TEST(Golden, MessagesAreReadAsTheTablesSay) {
  EXPECT_EQ(decode_hello(golden("message-hello")), samples::hello());
  EXPECT_EQ(decode_prepare(golden("message-prepare")), samples::prepare());
  EXPECT_EQ(decode_refusal(golden("message-refusal")), samples::refusal());
  EXPECT_EQ(decode_report(golden("message-report")), samples::report());
  EXPECT_EQ(decode_plan(golden("message-plan")), samples::plan());
  EXPECT_EQ(decode_done(golden("message-done")), samples::done());
}

Bytes record() {
  const std::string text = "hello, lanes!";
  Bytes out(core::record_bytes(text.size()));
  core::encode_record_header({.payload_bytes = static_cast<std::uint32_t>(text.size()),
                              .kind = core::RecordKind::App,
                              .flags = core::kRecordSafe,
                              .origin = 1,
                              .client = 77,
                              .stream_position = 4096,
                              .group = 0x0102030405060708},
                             out.data());
  std::transform(text.begin(), text.end(), out.begin() + core::kRecordHeaderBytes,
                 [](char c) { return static_cast<std::byte>(c); });
  return out;
}

Bytes row() {
  core::Row row{.received = 640,
                .limit = 1 << 20,
                .log_end = 704,
                .stream_end = 4144,
                .bulk_end = 0,
                .hash_index = 3,
                .hash = 0xFEEDFACECAFEBEEF,
                .handovers = 1,
                .distrusts_itself = false,
                .orderer = true,
                .origin_count = 2,
                .origins = {}};
  row.origins[0] = {10, 20};
  row.origins[1] = {30, 40};
  Bytes out(core::kRowBytesMax);
  out.resize(core::encode_row(row, std::span<std::byte, core::kRowBytesMax>(out)));
  return out;
}

Bytes nak() {
  core::Nak nak{.what = core::Nak::What::Log, .count = 2, .spans = {}};
  nak.spans[0] = {640, 704};
  nak.spans[1] = {1000, 1100};
  Bytes out(core::kNakBytesMax);
  out.resize(core::encode_nak(nak, std::span<std::byte, core::kNakBytesMax>(out)));
  return out;
}

ClusterKey cluster_key(Cipher cipher) {
  if (cipher == Cipher::Insecure) return insecure_cluster_key("golden");
  ClusterKey key;
  key.id = 7;
  std::iota(key.secret.mutable_bytes().begin(), key.secret.mutable_bytes().end(), std::uint8_t{0});
  return key;
}

/// Node `rank` of the sample members, with its keys, in view 7.
struct Node {
  Node(Cipher cipher, std::size_t rank)
      : keys({.cipher = cipher, .self = samples::members()[rank], .lanes = 2, .nodes = {1, 2, 5}},
             cluster_key(cipher)),
        sealer(keys),
        opener(keys) {
    keys.install(samples::view(7), samples::members());
  }
  KeyTable keys;
  FrameSealer sealer;
  FrameOpener opener;
};

class GoldenFrames : public ::testing::TestWithParam<Cipher> {
 protected:
  void SetUp() override {
    if (!available(GetParam())) GTEST_SKIP() << "not built in, or no such processor";
  }
  [[nodiscard]] Bytes expected(const std::string& name) const {
    return golden("frame-" + name + (GetParam() == Cipher::Insecure ? "-insecure" : ""));
  }
  /// The first data frame of a fresh node, on lane 1.
  [[nodiscard]] Bytes data(FrameType type, Position position, const Bytes& payload) const {
    Node node(GetParam(), 0);
    Bytes frame(2000);
    frame.resize(node.sealer.seal_data(type, 1, position, payload, frame));
    return frame;
  }
  /// The first control frame of a fresh node.
  [[nodiscard]] Bytes control(MessageKind kind, const Bytes& message, const BootId& to) const {
    Node node(GetParam(), 0);
    Bytes fragment(1400);
    fragment.resize(encode_fragment(kind, 1, 0, message, fragment));
    Bytes frame(2000);
    frame.resize(node.sealer.seal_control(0, to, fragment, frame));
    return frame;
  }
  /// What node 2 makes of a frame.
  [[nodiscard]] Bytes opened(const Bytes& frame) const {
    Node node(GetParam(), 1);
    CheckedFrame checked = node.opener.check(frame);
    EXPECT_EQ(checked.verdict, FrameVerdict::Good) << to_string(checked.verdict);
    Bytes out(checked.sealed.size());
    if (checked.verdict == FrameVerdict::Good) {
      EXPECT_TRUE(node.opener.open(checked, out.data()));
    }
    return out;
  }
};

TEST_P(GoldenFrames, AreSealedAsTheTablesSay) {
  EXPECT_EQ(data(FrameType::Ordered, 640, record()), expected("ordered"));
  EXPECT_EQ(data(FrameType::Row, 0, row()), expected("row"));
  EXPECT_EQ(data(FrameType::Nak, 0, nak()), expected("nak"));
  EXPECT_EQ(control(MessageKind::Hello, bytes_of(samples::hello()), BootId{}), expected("hello"));
  EXPECT_EQ(control(MessageKind::Plan, bytes_of(samples::plan()), samples::boot(32)),
            expected("plan"));
}

TEST_P(GoldenFrames, AreOpenedAsTheTablesSay) {
  EXPECT_EQ(opened(expected("ordered")), record());
  EXPECT_EQ(opened(expected("row")), row());
  EXPECT_EQ(opened(expected("nak")), nak());
  const Bytes fragment = opened(expected("plan"));
  const auto plan = decode_fragment(fragment);
  ASSERT_TRUE(plan);
  EXPECT_EQ(decode_plan(plan->bytes), samples::plan());
}

INSTANTIATE_TEST_SUITE_P(Ciphers, GoldenFrames,
                         ::testing::Values(Cipher::Insecure, Cipher::OpenSsl, Cipher::IpsecMb),
                         [](const auto& parameter) {
                           switch (parameter.param) {
                             case Cipher::Insecure:
                               return "Insecure";
                             case Cipher::OpenSsl:
                               return "OpenSsl";
                             case Cipher::IpsecMb:
                               return "IpsecMb";
                           }
                           return "Corrupt";
                         });

}  // namespace
}  // namespace phalanx::wire
