#include "config/schema.h"

namespace phalanx::config {

const Key* find_key(std::string_view name) noexcept {
  for (const Key& key : schema()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string_view kind_text(Kind kind) noexcept {
  switch (kind) {
    case Kind::Integer:
      return "a whole number";
    case Kind::Size:
      return "a size";
    case Kind::Duration:
      return "a time";
    case Kind::Choice:
      return "one word";
    case Kind::Name:
      return "a name";
    case Kind::Path:
      return "a path";
    case Kind::Address:
      return "an address";
    case Kind::Text:
      return "a text";
    case Kind::Ids:
      return "a list of numbers";
  }
  return "corrupt";
}

std::string allowed_text(const Key& key) {
  const std::string power = key.power_of_two ? ", a power of two" : "";
  switch (key.kind) {
    case Kind::Integer:
      return std::to_string(key.min) + " to " + std::to_string(key.max);
    case Kind::Size:
      return "\"" + format_size(key.min) + "\" to \"" + format_size(key.max) + "\"" + power +
             " (units: B, KiB, MiB, GiB)";
    case Kind::Duration:
      return "\"" + format_duration(key.min) + "\" to \"" + format_duration(key.max) +
             "\" (units: ns, us, ms, s, min)";
    case Kind::Choice: {
      std::string out = "\"";
      for (const char c : key.choices) c == '|' ? out += "\", \"" : out += c;
      return out + "\"";
    }
    case Kind::Name:
      return "1 to 63 letters, digits, '-', '_' and '.', the first a letter or digit";
    case Kind::Path:
      return "an absolute path, in quotes";
    case Kind::Address:
      return "\"10.0.0.1:5405\" or \"[fd00::1]:5405\": a numeric address and a port; or \"\"";
    case Kind::Text:
      return "one line, in quotes";
    case Kind::Ids:
      return "a list of whole numbers, for example [1000, 1001]";
  }
  return "";
}

std::string default_text(const Key& key) {
  switch (key.kind) {
    case Kind::Integer:
    case Kind::Ids:
      return std::string(key.fallback);
    case Kind::Size:
    case Kind::Duration:
    case Kind::Choice:
    case Kind::Name:
    case Kind::Path:
    case Kind::Address:
    case Kind::Text:
      break;
  }
  return "\"" + std::string(key.fallback) + "\"";
}

}  // namespace phalanx::config
