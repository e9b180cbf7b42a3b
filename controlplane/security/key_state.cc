#include "controlplane/security/key_state.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace phalanx::security {
namespace {

constexpr std::size_t kLineBytesMax = 512;
constexpr std::size_t kFingerprintBytes = 16;

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/// Takes what stands before the next space.
std::string_view next_word(std::string_view& rest) noexcept {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

template <class T>
bool take_number(std::string_view& rest, T& out) noexcept {
  const std::string_view word = next_word(rest);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return !word.empty() && error == std::errc() && end == word.data() + word.size();
}

bool take_name(std::string_view& rest, KeyName& out) {
  if (!take_number(rest, out.id)) return false;
  const std::string_view word = next_word(rest);
  if (out.id == 0) return word == "-";
  out.fingerprint = word;
  return word.size() == kFingerprintBytes && std::ranges::all_of(word, is_hex);
}

}  // namespace

std::string to_string(const KeyName& name) {
  return std::to_string(name.id) + " " + (name.id == 0 ? "-" : name.fingerprint);
}

std::optional<KeyName> parse_key_name(std::string_view text) {
  KeyName name;
  if (!take_name(text, name) || !text.empty()) return std::nullopt;
  return name;
}

std::string_view to_string(KeyPhase phase) noexcept {
  switch (phase) {
    case KeyPhase::OneKey:
      return "one key";
    case KeyPhase::Ready:
      return "ready";
    case KeyPhase::Both:
      return "holds both";
    case KeyPhase::GoesOver:
      return "goes over";
    case KeyPhase::Finishing:
      return "finishing";
  }
  return "corrupt";
}

KeyPhase KeyState::phase() const noexcept {
  if (next.id == 0) return KeyPhase::OneKey;
  if (view_key_id == next.id) return KeyPhase::Finishing;
  if (!held) return KeyPhase::Ready;
  return goes_over ? KeyPhase::GoesOver : KeyPhase::Both;
}

std::string encode(const KeyState& state) {
  std::string text = to_string(state.current) + " " + to_string(state.next) + " " +
                     (state.held ? "1 " : "0 ") + (state.goes_over ? "1 " : "0 ") +
                     std::to_string(state.view_key_id) + " " + std::to_string(state.led_by) + " " +
                     std::to_string(state.since) + " " + state.trouble;
  text.resize(std::min(text.size(), kLineBytesMax));
  return text;
}

std::optional<KeyState> decode_key_state(std::string_view text) {
  KeyState state;
  std::uint32_t held = 0;
  std::uint32_t goes_over = 0;
  if (!take_name(text, state.current) || !take_name(text, state.next) || !take_number(text, held) ||
      !take_number(text, goes_over) || !take_number(text, state.view_key_id) ||
      !take_number(text, state.led_by) || !take_number(text, state.since) || held > 1 ||
      goes_over > 1 || state.current.id == 0 || text.find('\n') != std::string_view::npos) {
    return std::nullopt;
  }
  state.held = held == 1;
  state.goes_over = goes_over == 1;
  state.trouble = text;
  return state;
}

}  // namespace phalanx::security
