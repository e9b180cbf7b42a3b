#include "transport/wire/recorder_word.h"

#include <utility>

#include "ipc/base/assert.h"
#include "transport/wire/aead.h"
#include "transport/wire/codec.h"
#include "transport/wire/key_ring.h"

namespace phalanx::wire {
namespace {

constexpr std::uint8_t kWordVersion = 1;
/// Magic, version, kind, 0, node, boot id, counter: in clear, and covered by the tag.
constexpr std::size_t kHeadBytes = 32;
constexpr std::size_t kBodyBytes = 12;  ///< Token, page, pages; then the text.

}  // namespace

struct RecorderSeal::Impl {
  [[nodiscard]] AeadKey key_of(const Member& sealer, bool next) const {
    const ClusterKey& key = next && ring->next ? *ring->next : ring->current;
    return AeadKey(cipher, derive_boot_key(key, sealer).secret);
  }

  std::shared_ptr<const KeyRing> ring;
  Cipher cipher;
  bool with_next = false;
};

RecorderSeal::RecorderSeal(const ClusterKey& key, bool insecure)
    : impl_(new Impl{.ring = std::make_shared<const KeyRing>(key.clone(), std::nullopt),
                     .cipher = insecure ? Cipher::Insecure : Cipher::OpenSsl}) {}
RecorderSeal::RecorderSeal(RecorderSeal&&) noexcept = default;
RecorderSeal& RecorderSeal::operator=(RecorderSeal&&) noexcept = default;
RecorderSeal::~RecorderSeal() = default;

void RecorderSeal::hold(std::shared_ptr<const KeyRing> ring, bool with_next) {
  impl_->ring = std::move(ring);
  impl_->with_next = with_next;
}

std::vector<std::byte> RecorderSeal::seal(const RecorderWord& word) const {
  PHX_CHECK(word.text.size() <= kRecorderTextBytes && (word.tells || word.text.empty()));
  std::vector<std::byte> out;
  Writer head(out);
  head.put(static_cast<std::uint8_t>(kRecorderMagic));
  head.put(kWordVersion);
  head.put(static_cast<std::uint8_t>(word.tells ? 2 : 1));
  head.put(std::uint8_t{0});
  head.put(word.sealer.node);
  head.put(word.sealer.boot);
  head.put(word.counter);
  std::vector<std::byte> body;
  Writer fields(body);
  fields.put(word.token);
  fields.put(word.page);
  fields.put(word.pages);
  body.insert(body.end(), word.text.begin(), word.text.end());
  out.resize(kHeadBytes + body.size() + kTagBytes);
  impl_->key_of(word.sealer, impl_->with_next)
      .seal(Nonce::of(kRecorderNonceSpace, word.counter), std::span(out).first(kHeadBytes), body,
            out.data() + kHeadBytes);
  return out;
}

std::optional<RecorderWord> RecorderSeal::open(std::span<const std::byte> datagram) const {
  constexpr std::size_t kLeast = kHeadBytes + kBodyBytes + kTagBytes;
  if (datagram.size() < kLeast || datagram.size() > kLeast + kRecorderTextBytes) {
    return std::nullopt;
  }
  Reader head(datagram.first(kHeadBytes));
  head.require(head.take<std::uint8_t>() == static_cast<std::uint8_t>(kRecorderMagic));
  head.require(head.take<std::uint8_t>() == kWordVersion);
  const auto kind = head.take<std::uint8_t>();
  head.require((kind == 1 || kind == 2) && head.take<std::uint8_t>() == 0);
  RecorderWord word{.tells = kind == 2};
  word.sealer.node = head.take<std::uint32_t>();
  word.sealer.boot = head.take_boot();
  word.counter = head.take<std::uint64_t>();
  if (!head.finished() || word.sealer.node == 0 || word.sealer.boot.is_none()) return std::nullopt;

  std::vector<std::byte> body(datagram.size() - kHeadBytes - kTagBytes);
  const auto opens = [&](bool next) {
    return impl_->key_of(word.sealer, next)
        .open(Nonce::of(kRecorderNonceSpace, word.counter), datagram.first(kHeadBytes),
              datagram.subspan(kHeadBytes, body.size()), datagram.last<kTagBytes>(), body.data());
  };
  if (!opens(false) && !(impl_->ring->next && opens(true))) return std::nullopt;
  const std::span<const std::byte> opened(body);
  Reader fields(opened.first(kBodyBytes));
  word.token = fields.take<std::uint64_t>();
  word.page = fields.take<std::uint16_t>();
  word.pages = fields.take<std::uint16_t>();
  word.text.assign(body.begin() + kBodyBytes, body.end());
  // Who asks says no more than that.
  if (!word.tells && (word.pages != 0 || !word.text.empty())) return std::nullopt;
  return word;
}

}  // namespace phalanx::wire
