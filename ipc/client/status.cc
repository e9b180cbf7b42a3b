#include "ipc/include/phalanx/phalanx.h"

namespace {

struct Text {
  const char* name;
  const char* sentence;
};

/// Indexed by phx_status.
constexpr Text kTexts[] = {
    {"PHX_OK", "done"},
    {"PHX_TRY_AGAIN", "not possible at the moment; try again"},
    {"PHX_TOO_BIG", "the message or value is larger than allowed, or than the buffer"},
    {"PHX_NOT_JOINED", "the group is not joined or opened by this handle"},
    {"PHX_EXISTS", "the group is joined already"},
    {"PHX_NAME_TOO_LONG", "the name is too long: a group's may have 128 bytes, a key's 255"},
    {"PHX_NAME_EMPTY", "the group name is empty"},
    {"PHX_BAD_HANDLE", "the handle is finalised, stale or from before a fork"},
    {"PHX_ACCESS", "this user may not do that"},
    {"PHX_DISCONNECTED", "the data plane, control plane or supervisor is gone"},
    {"PHX_EVICTED", "this client read too slowly and has left all its groups"},
    {"PHX_NOT_SUPPORTED", "not supported by this version"},
    {"PHX_INVALID", "an argument is invalid, or the call is not allowed here"},
    {"PHX_NO_MEMORY", "out of memory or file descriptors"},
    {"PHX_LIMIT", "a limit on handles, groups, clients, trackers or a user's share is reached"},
    {"PHX_NOT_RUNNING", "no Phalanx of that instance runs on this host"},
    {"PHX_VERSION", "the daemon speaks another version of the protocol"},
    {"PHX_NOT_FOUND", "there is no such key, or no further one"},
    {"PHX_WRONG_TYPE", "the value is of another type, or no integer"},
    {"PHX_WRONG_SIZE", "the bytes do not fit the type"},
    {"PHX_BAD_NAME", "a key has 3 to 255 letters, digits and . _ - / :"},
    {"PHX_READ_ONLY", "the key is the daemon's own and read-only"},
    {"PHX_OVERFLOW", "the result would be out of the type's range"},
    {"PHX_FULL", "the map, or the history of a replicated state, takes no more"},
    {"PHX_NOT_QUORATE", "this side of the cluster has no quorum, and may not do that"},
    {"PHX_IN_DOUBT", "carried out, or about to be, where it could not be seen how"},
    {"PHX_TIMED_OUT", "the time given for it is over"},
    {"PHX_WRONG_THREAD", "another thread is dispatching on this handle"},
    {"PHX_NOT_PINNED", "nothing is pinned that could be given back: put without get"},
    {"PHX_PINNED", "what was got before has to be given back first"},
    {"PHX_REPLIED", "the request has been answered before"},
    {"PHX_WRONG_BUFFER", "the buffer is freed, unknown or of another handle"},
    {"PHX_IN_USE", "the other side still reads the buffer"},
    {"PHX_FORKED", "the handle is from before a fork; only the parent may use it"},
    {"PHX_BROKEN", "the other side broke the protocol and was cut off"},
    {"PHX_WRONG_LANE",
     "a replicated state's group must be in lane 0: name it in lane.groups of the configuration"},
};
constexpr unsigned kCount = sizeof kTexts / sizeof kTexts[0];
static_assert(kCount == PHX_WRONG_LANE + 1);

}  // namespace

const char* phx_strerror(phx_status status) {
  const auto index = static_cast<unsigned>(status);
  return index < kCount ? kTexts[index].sentence : "unknown status";
}

const char* phx_status_name(phx_status status) {
  const auto index = static_cast<unsigned>(status);
  return index < kCount ? kTexts[index].name : "PHX_UNKNOWN";
}
