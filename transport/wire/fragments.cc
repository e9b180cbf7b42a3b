#include "transport/wire/fragments.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::wire {
namespace {

constexpr std::size_t kPartBytes = sizeof(std::vector<std::byte>);  ///< Of the table, each.

bool is_known(std::uint8_t kind) noexcept {
  return kind >= static_cast<std::uint8_t>(MessageKind::Hello) &&
         kind <= static_cast<std::uint8_t>(MessageKind::Done);
}

/// Message numbers wrap; half the range is "older".
bool is_newer(std::uint32_t number, std::uint32_t than) noexcept {
  return static_cast<std::int32_t>(number - than) > 0;
}

}  // namespace

std::size_t fragments_of(std::size_t message_bytes, std::size_t room) noexcept {
  PHX_CHECK(room > kFragmentHeaderBytes && message_bytes <= kMessageBytesMax);
  const std::size_t each = room - kFragmentHeaderBytes;
  const std::size_t count = std::max<std::size_t>(1, (message_bytes + each - 1) / each);
  PHX_CHECK(count <= kFragmentsMax);
  return count;
}

std::size_t encode_fragment(MessageKind kind, std::uint32_t message, std::size_t index,
                            std::span<const std::byte> bytes, std::span<std::byte> out) noexcept {
  const std::size_t count = fragments_of(bytes.size(), out.size());
  PHX_CHECK(index < count);
  const std::size_t each = out.size() - kFragmentHeaderBytes;
  const std::span<const std::byte> part =
      bytes.subspan(index * each, std::min(each, bytes.size() - index * each));

  store_le<std::uint32_t>(out.data(), message);
  store_le<std::uint16_t>(out.data() + 4, static_cast<std::uint16_t>(index));
  store_le<std::uint16_t>(out.data() + 6, static_cast<std::uint16_t>(count));
  store_le<std::uint8_t>(out.data() + 8, static_cast<std::uint8_t>(kind));
  std::copy(part.begin(), part.end(), out.begin() + kFragmentHeaderBytes);
  return kFragmentHeaderBytes + part.size();
}

std::optional<Fragment> decode_fragment(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kFragmentHeaderBytes) return std::nullopt;
  const auto kind = load_le<std::uint8_t>(bytes.data() + 8);
  const Fragment fragment{.message = load_le<std::uint32_t>(bytes.data()),
                          .index = load_le<std::uint16_t>(bytes.data() + 4),
                          .count = load_le<std::uint16_t>(bytes.data() + 6),
                          .kind = static_cast<MessageKind>(kind),
                          .bytes = bytes.subspan(kFragmentHeaderBytes)};
  if (!is_known(kind) || fragment.count > kFragmentsMax || fragment.index >= fragment.count) {
    return std::nullopt;
  }
  // Only a message that is empty has an empty fragment.
  if (fragment.bytes.empty() && fragment.count > 1) return std::nullopt;
  return fragment;
}

Reassembler::Reassembler(std::size_t senders_max, std::size_t bytes_max)
    : senders_max_(senders_max), bytes_max_(bytes_max) {
  PHX_CHECK(senders_max > 0);
}

std::optional<Reassembler::Message> Reassembler::take(const Member& sender,
                                                      const Fragment& fragment) {
  // Most messages are one fragment: they disturb nothing that is in progress.
  if (fragment.count == 1) {
    return Message{fragment.kind, {fragment.bytes.begin(), fragment.bytes.end()}};
  }
  Progress* progress = find_or_replace(sender, fragment);
  if (progress == nullptr || !place(*progress, fragment)) {
    ++refused_;
    return std::nullopt;
  }
  if (progress->missing > 0) return std::nullopt;

  Message whole{.kind = progress->kind, .bytes = {}};
  for (const auto& part : progress->parts) {
    whole.bytes.insert(whole.bytes.end(), part.begin(), part.end());
  }
  // The entry stays, without its parts, so that late copies of this message stay "older".
  clear(*progress);
  return whole;
}

/// The sender's progress on this very message, made room for where needed.
Reassembler::Progress* Reassembler::find_or_replace(const Member& sender,
                                                    const Fragment& fragment) {
  auto it = std::find_if(in_progress_.begin(), in_progress_.end(),
                         [&](const Progress& p) { return p.sender == sender; });
  if (it != in_progress_.end()) {
    it->used_at = ++clock_;
    if (it->message == fragment.message && !it->parts.empty()) return &*it;
    if (!is_newer(fragment.message, it->message)) return nullptr;
    clear(*it);
  } else if (in_progress_.size() < senders_max_) {
    it = in_progress_.insert(in_progress_.end(), Progress{});
  } else {
    it = std::min_element(in_progress_.begin(), in_progress_.end(),
                          [](const auto& a, const auto& b) { return a.used_at < b.used_at; });
    clear(*it);
  }
  const std::size_t table_bytes = fragment.count * kPartBytes;
  if (bytes_held_ + table_bytes > bytes_max_) return nullptr;
  bytes_held_ += table_bytes;
  it->sender = sender;
  it->message = fragment.message;
  it->kind = fragment.kind;
  it->used_at = ++clock_;
  it->missing = fragment.count;
  it->parts.resize(fragment.count);
  return &*it;
}

bool Reassembler::place(Progress& progress, const Fragment& fragment) {
  if (progress.parts.size() != fragment.count || progress.kind != fragment.kind) return false;
  auto& part = progress.parts[fragment.index];
  if (!part.empty() || bytes_held_ + fragment.bytes.size() > bytes_max_) return false;
  part.assign(fragment.bytes.begin(), fragment.bytes.end());
  bytes_held_ += part.size();
  --progress.missing;
  return true;
}

void Reassembler::clear(Progress& progress) noexcept {
  for (const auto& part : progress.parts) bytes_held_ -= part.size() + kPartBytes;
  progress.parts.clear();
  progress.parts.shrink_to_fit();
}

}  // namespace phalanx::wire
