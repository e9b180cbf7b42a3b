#include "transport/wire/frame_seal.h"

#include <algorithm>
#include <cstring>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::wire {
namespace {

std::span<std::byte, kHeaderBytes> header_of(std::span<std::byte> frame) noexcept {
  return frame.first<kHeaderBytes>();
}

BootId load_boot(const std::byte* at) noexcept {
  BootId boot;
  std::memcpy(boot.bytes.data(), at, boot.bytes.size());
  return boot;
}

void store_boot(std::byte* at, const BootId& boot) noexcept {
  std::memcpy(at, boot.bytes.data(), boot.bytes.size());
}

bool is_other_version(std::span<const std::byte> frame) noexcept {
  return frame.size() >= 2 && load_le<std::uint8_t>(frame.data()) == kMagic &&
         load_le<std::uint8_t>(frame.data() + 1) != kVersion;
}

}  // namespace

std::string_view to_string(FrameVerdict verdict) noexcept {
  switch (verdict) {
    case FrameVerdict::Good:
      return "good";
    case FrameVerdict::Malformed:
      return "malformed";
    case FrameVerdict::OtherVersion:
      return "other-version";
    case FrameVerdict::OwnNode:
      return "own-node";
    case FrameVerdict::UnknownSender:
      return "unknown-sender";
    case FrameVerdict::UnknownKey:
      return "unknown-key";
    case FrameVerdict::OtherReceiver:
      return "other-receiver";
    case FrameVerdict::Replayed:
      return "replayed";
    case FrameVerdict::BadTag:
      return "bad-tag";
  }
  return "corrupt";
}

[[gnu::always_inline]] inline FrameSealer::Begun FrameSealer::begin_data(
    FrameType type, LaneId lane, Position position,
    std::span<std::byte, kHeaderBytes> out) noexcept {
  PHX_CHECK(type < FrameType::Control && lane < keys_.lanes() && keys_.has_view());
  const KeyTable::SealKey with = keys_.view_seal();
  const std::uint32_t space = nonce_space(lane, false);
  const std::uint64_t counter = keys_.next_counter(space);
  encode({.type = type,
          .key_id = static_cast<std::uint8_t>(with.key_id),
          .lane = lane,
          .links_heard = links_heard_,
          .sender = keys_.self().node,
          .key_tag = with.tag,
          .counter = counter,
          .position = position},
         out);
  return {with.key, Nonce::of(space, counter)};
}

std::size_t FrameSealer::seal_data(FrameType type, LaneId lane, Position position,
                                   std::span<const std::byte> payload,
                                   std::span<std::byte> out) noexcept {
  PHX_CHECK(out.size() >= payload.size() + kOverheadBytes);
  const Begun begun = begin_data(type, lane, position, header_of(out));
  begun.key->seal(begun.nonce, out.first(kHeaderBytes), payload, out.data() + kHeaderBytes);
  return payload.size() + kOverheadBytes;
}

void FrameSealer::seal_around(FrameType type, LaneId lane, Position position,
                              std::span<const std::byte> payload,
                              std::span<std::byte, kOverheadBytes> out) noexcept {
  const Begun begun = begin_data(type, lane, position, out.first<kHeaderBytes>());
  begun.key->tag(begun.nonce, out.first<kHeaderBytes>(), payload, out.last<kTagBytes>());
}

std::size_t FrameSealer::seal_control(LaneId lane, const BootId& receiver,
                                      std::span<const std::byte> fragment,
                                      std::span<std::byte> out) noexcept {
  return seal_control(
      lane, receiver, fragment, out,
      receiver.is_none() ? keys_.boot_seal(std::size_t{0}) : keys_.boot_seal(receiver));
}

std::size_t FrameSealer::seal_control(LaneId lane, const BootId& receiver,
                                      std::span<const std::byte> fragment, std::span<std::byte> out,
                                      const KeyTable::SealKey& with) noexcept {
  PHX_CHECK(lane < keys_.lanes() && out.size() >= fragment.size() + kControlOverheadBytes);
  const std::uint32_t space = nonce_space(lane, true);
  const std::uint64_t counter = keys_.next_counter(space);
  encode({.type = FrameType::Control,
          .key_id = static_cast<std::uint8_t>(with.key_id),
          .lane = lane,
          .links_heard = links_heard_,
          .sender = keys_.self().node,
          .key_tag = with.tag,
          .counter = counter,
          .position = 0},
         header_of(out));
  store_boot(out.data() + kHeaderBytes, keys_.self().boot);
  store_boot(out.data() + kHeaderBytes + 16, receiver);
  const std::size_t clear = kHeaderBytes + kControlPrefixBytes;
  with.key->seal(Nonce::of(space, counter), out.first(clear), fragment, out.data() + clear);
  return fragment.size() + kControlOverheadBytes;
}

CheckedFrame FrameOpener::check(std::span<const std::byte> frame) noexcept {
  CheckedFrame out;
  // Not memcpy, which may not be given the null of an empty frame.
  const std::size_t known = std::min(frame.size(), clear_.size());
  std::copy_n(frame.data(), known, clear_.data());
  const auto header = decode(std::span<const std::byte>(clear_).first(known));
  if (!header || header->lane >= keys_.lanes() ||
      (header->type == FrameType::Control && frame.size() < kControlOverheadBytes)) [[unlikely]] {
    out.verdict = is_other_version(std::span(clear_).first(known)) ? FrameVerdict::OtherVersion
                                                                   : FrameVerdict::Malformed;
    return out;
  }
  out.header = *header;
  out.verdict = find_key(clear_, out);
  if (out.verdict != FrameVerdict::Good) [[unlikely]]
    return out;
  if (!out.key->windows[header->lane].may_take(header->counter)) [[unlikely]] {
    out.verdict = FrameVerdict::Replayed;
    return out;
  }
  const std::size_t clear = kHeaderBytes + (out.is_control() ? kControlPrefixBytes : 0);
  std::memcpy(tag_.data(), frame.data() + frame.size() - kTagBytes, kTagBytes);
  out.associated = std::span(clear_).first(clear);
  out.sealed = frame.subspan(clear, frame.size() - clear - kTagBytes);
  out.tag = tag_;
  return out;
}

FrameVerdict FrameOpener::find_key(std::span<const std::byte> clear, CheckedFrame& out) noexcept {
  const FrameHeader& header = out.header;
  if (header.sender == keys_.self().node) return FrameVerdict::OwnNode;
  if (!out.is_control()) {
    out.key = keys_.find_view(header.sender, header.key_tag);
    if (out.key != nullptr && header.key_id == static_cast<std::uint8_t>(out.key->key_id)) {
      return FrameVerdict::Good;
    }
    return keys_.is_configured(header.sender) ? FrameVerdict::UnknownKey
                                              : FrameVerdict::UnknownSender;
  }

  if (!keys_.is_configured(header.sender)) return FrameVerdict::UnknownSender;
  const BootId receiver = load_boot(clear.data() + kHeaderBytes + 16);
  out.addressed = !receiver.is_none();
  if (out.addressed && receiver != keys_.self().boot) return FrameVerdict::OtherReceiver;
  const Member sender{header.sender, load_boot(clear.data() + kHeaderBytes)};
  out.key = keys_.find_boot(header.sender, header.key_tag);
  if (out.key == nullptr) {
    out.key = keys_.guess_boot(sender, header.key_tag, header.key_id);
    out.guessed = out.key != nullptr;
  }
  return out.key != nullptr && out.key->peer == sender &&
                 header.key_id == static_cast<std::uint8_t>(out.key->key_id)
             ? FrameVerdict::Good
             : FrameVerdict::UnknownKey;
}

bool FrameOpener::open(CheckedFrame& frame, std::byte* target) noexcept {
  PHX_CHECK(frame.verdict == FrameVerdict::Good);
  const FrameHeader& header = frame.header;
  const Nonce nonce = Nonce::of(nonce_space(header.lane, frame.is_control()), header.counter);
  if (!frame.key->key.open(nonce, frame.associated, frame.sealed, frame.tag.first<kTagBytes>(),
                           target)) [[unlikely]] {
    frame.verdict = FrameVerdict::BadTag;
    return false;
  }
  if (frame.guessed) frame.key = keys_.learn_guess();
  if (frame.is_control()) keys_.touch(*frame.key);
  frame.key->windows[header.lane].mark(header.counter);
  return true;
}

}  // namespace phalanx::wire
