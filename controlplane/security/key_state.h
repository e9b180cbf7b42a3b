#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ipc/base/ids.h"

namespace phalanx::security {

/// A cluster key as it is told to others: never the key.
struct KeyName {
  std::uint32_t id = 0;     ///< 0: there is none.
  std::string fingerprint;  ///< 16 hexadecimal digits.

  friend bool operator==(const KeyName&, const KeyName&) = default;
};

/// "7 0123456789abcdef"; "0 -" for none.
[[nodiscard]] std::string to_string(const KeyName& name);
[[nodiscard]] std::optional<KeyName> parse_key_name(std::string_view text);

/// How far a node is in going over to another cluster key.
enum class KeyPhase : std::uint8_t {
  OneKey,     ///< No other one is there.
  Ready,      ///< The next lies beside its key file; nothing was done with it.
  Both,       ///< Data plane and control plane hold both, and use the old one.
  GoesOver,   ///< It goes over to the next with the next view.
  Finishing,  ///< Its view uses the next; the old one is not gone yet.
};
/// "one key", "ready", "holds both", "goes over", "finishing".
[[nodiscard]] std::string_view to_string(KeyPhase phase) noexcept;

/// What a node says about its cluster keys.
struct KeyState {
  KeyName current;
  KeyName next;
  bool held = false;              ///< Data plane and control plane hold the next as well.
  bool goes_over = false;         ///< As in KeyPhase::GoesOver.
  std::uint32_t view_key_id = 0;  ///< Of the key that its view uses; 0: no view.
  NodeId led_by = 0;              ///< Who leads a rotation that it takes part in now; 0: nobody.
  std::uint64_t since = 0;        ///< Seconds since 1970: when its phase began.
  std::string trouble;            ///< Why it cannot go on; empty: it can. No newline.

  [[nodiscard]] KeyPhase phase() const noexcept;
  friend bool operator==(const KeyState&, const KeyState&) = default;
};

/// One line, at most 512 bytes: what is longer of the trouble is cut. For an OrderWord.
[[nodiscard]] std::string encode(const KeyState& state);
/// Empty unless it is what encode() writes.
[[nodiscard]] std::optional<KeyState> decode_key_state(std::string_view text);

}  // namespace phalanx::security
