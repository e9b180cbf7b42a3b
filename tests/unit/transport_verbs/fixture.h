#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/transport_verbs/fake_calls.h"
#include "transport/verbs/verbs_transport.h"

namespace phalanx::transport::verbs {

/// Node 1 of three over the fake adapter; whatever was made must be given back.
class VerbsTransport : public ::testing::Test {
 protected:
  VerbsTransport() {
    fake::reset();
    config_.self = 1;
    config_.nodes = {{1, "10.0.0.1"}, {2, "10.0.0.2"}, {3, "10.0.0.3"}};
    config_.group = "239.77.0.1";
    config_.depth = 64;
  }
  ~VerbsTransport() override {
    wire_.reset();
    EXPECT_EQ(fake::state().alive, 0) << "everything is given back, after errors too";
  }

  void start() {
    auto opened = open(config_);
    ASSERT_TRUE(opened) << opened.error().text();
    wire_ = std::move(*opened);
  }
  std::string refusal() {
    auto opened = open(config_);
    return opened ? "" : opened.error().text();
  }
  std::size_t send(const std::string& payload, Destination to, std::size_t copies = 1) {
    std::array<TxFrame, 32> frames;
    const std::size_t lent = wire_->tx_alloc(std::span(frames).first(copies));
    for (TxFrame& frame : std::span(frames).first(lent)) {
      std::memcpy(frame.bytes.data(), payload.data(), payload.size());
      frame.length = payload.size();
      frame.to = to;
    }
    wire_->tx_burst(std::span(frames).first(lent));
    return lent;
  }
  std::vector<std::string> receive(NodeId authentic = 0) {
    std::array<RxFrame, 32> frames;
    const std::size_t count = wire_->rx_burst(frames);
    std::vector<std::string> out;
    for (const RxFrame& frame : std::span(frames).first(count)) {
      out.emplace_back(reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size());
      if (authentic != 0) wire_->authenticated(authentic, frame);
    }
    wire_->rx_release(std::span(frames).first(count));
    return out;
  }

  static constexpr Destination kMembers{.kind = Destination::Kind::Members};
  static constexpr Destination kPeer{.kind = Destination::Kind::Peer, .peer = 2};
  VerbsConfig config_;
  std::unique_ptr<Transport> wire_;
};

}  // namespace phalanx::transport::verbs
