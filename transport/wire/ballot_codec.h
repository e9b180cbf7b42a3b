#pragma once

#include "ipc/base/assert.h"
#include "transport/wire/ballot.h"
#include "transport/wire/codec.h"

namespace phalanx::wire {

inline constexpr std::size_t kElectorateBytes = 16;
inline constexpr std::size_t kBallotBytesMin = 4 + 1 + kElectorateBytes + 1 + 13 + 6;

inline void put(Writer& to, const Amendment& amendment) {
  PHX_CHECK(amendment.votes.size() <= kNodesMax);
  to.put(amendment.revision);
  to.put(amendment.expected);
  to.put(static_cast<std::uint8_t>(amendment.votes.size()));
  for (const std::uint16_t votes : amendment.votes) to.put(votes);
}

inline void put(Writer& to, const Ballot& ballot) {
  PHX_CHECK(ballot.open.size() <= Ballot::kOpenMax);
  to.put(ballot.device_votes);
  to.put(static_cast<std::uint8_t>(ballot.forgotten ? 1 : 0));
  to.put(ballot.settled.sequence);
  to.put(ballot.settled.nodes);
  to.put(static_cast<std::uint8_t>(ballot.open.size()));
  for (const Electorate& electorate : ballot.open) {
    to.put(electorate.sequence);
    to.put(electorate.nodes);
  }
  put(to, ballot.amendment);
  to.put(static_cast<std::uint8_t>(ballot.order.kind));
  to.put(ballot.order.index);
  to.put(ballot.order.number);
}

[[nodiscard]] inline Electorate take_electorate(Reader& from) noexcept {
  Electorate electorate;
  electorate.sequence = from.take<std::uint64_t>();
  electorate.nodes = from.take<std::uint64_t>();
  from.require((electorate.sequence == 0) == (electorate.nodes == 0));
  return electorate;
}

[[nodiscard]] inline Amendment take_amendment(Reader& from) {
  Amendment amendment;
  amendment.revision = from.take<std::uint64_t>();
  amendment.expected = from.take<std::uint32_t>();
  amendment.votes.resize(from.take_count<std::uint8_t>(kNodesMax, 2));
  for (std::uint16_t& votes : amendment.votes) votes = from.take<std::uint16_t>();
  // "As configured" is written in one way only.
  from.require(amendment.revision == 0 ? amendment == Amendment{} : !amendment.votes.empty());
  return amendment;
}

[[nodiscard]] inline Order take_order(Reader& from) noexcept {
  Order order;
  const auto kind = from.take<std::uint8_t>();
  order.index = from.take<std::uint8_t>();
  order.number = from.take<std::uint32_t>();
  from.require(kind <= static_cast<std::uint8_t>(Order::Kind::EndWait));
  order.kind = static_cast<Order::Kind>(kind);
  from.require(order.kind != Order::Kind::None || order == Order{});
  from.require(order.index == 0 || (order.kind == Order::Kind::Votes && order.index < kNodesMax));
  return order;
}

[[nodiscard]] inline Ballot take_ballot(Reader& from) {
  Ballot ballot;
  ballot.device_votes = from.take<std::uint32_t>();
  const auto forgotten = from.take<std::uint8_t>();
  from.require(forgotten <= 1);
  ballot.forgotten = forgotten == 1;
  ballot.settled = take_electorate(from);
  ballot.open.resize(from.take_count<std::uint8_t>(Ballot::kOpenMax, kElectorateBytes));
  Electorate before = ballot.settled;
  for (Electorate& electorate : ballot.open) {
    electorate = take_electorate(from);
    from.require(before < electorate);
    before = electorate;
  }
  ballot.amendment = take_amendment(from);
  ballot.order = take_order(from);
  return ballot;
}

}  // namespace phalanx::wire
