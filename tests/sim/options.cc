#include "tests/sim/options.h"

#include <charconv>
#include <string_view>

#include "tests/sim/script.h"

namespace phalanx::sim {
namespace {

template <class T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_seeds(std::string_view text, Options& out) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    return parse_number(text, out.first_seed) && parse_number(text, out.last_seed);
  }
  return parse_number(text.substr(0, dots), out.first_seed) &&
         parse_number(text.substr(dots + 2), out.last_seed) && out.first_seed <= out.last_seed;
}

bool parse_within(std::string_view text, std::size_t low, std::size_t high, std::size_t& out) {
  return parse_number(text, out) && out >= low && out <= high;
}

bool known(std::string_view recipe) {
  return recipe == "all" || (!recipe.empty() && make_scenario(recipe, 1, {}).has_value());
}

auto wrong(std::string what, std::string observed) {
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = std::move(what),
                    .observed = std::move(observed),
                    .remedy = "phalanx-sim --help"});
}

bool parse_value(std::string_view name, std::string_view value, Options& out) {
  if (name == "--seeds") return parse_seeds(value, out);
  if (name == "--keep") {
    out.keep = split_parts(value);
    return true;
  }
  if (name == "--replay" || name == "--shrink") {
    (name == "--replay" ? out.replay : out.shrink_only) = true;
    return parse_number(value, out.first_seed) && parse_number(value, out.last_seed);
  }
  if (name == "--recipe") return known(out.recipe = value);
  if (name == "--nodes") return parse_within(value, 1, kNodesMax, out.sizes.nodes);
  if (name == "--lanes") return parse_within(value, 1, kLanesMax, out.sizes.lanes);
  if (name == "--seconds") return parse_number(value, out.seconds) && out.seconds >= 0;
  if (name == "--replay-file") {
    out.replay_file = value;
    return !value.empty();
  }
  if (name == "--faulty-ms") {
    const bool good = parse_number(value, out.sizes.faulty_for) && out.sizes.faulty_for > 0;
    out.sizes.faulty_for *= kMillisecond;
    return good;
  }
  return false;
}

bool takes_value(std::string_view name) {
  return name == "--seeds" || name == "--replay" || name == "--shrink" || name == "--keep" ||
         name == "--recipe" || name == "--replay-file" || name == "--nodes" || name == "--lanes" ||
         name == "--seconds" || name == "--faulty-ms";
}

}  // namespace

Expected<Options, Error> parse_options(int count, char** words) {
  Options out;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--help") {
      out.help = true;
    } else if (word == "--json") {
      out.json = true;
    } else if (word == "--tapes") {
      out.tapes = true;
    } else if (word == "--replicas") {
      out.replicas = true;
    } else if (word == "--gathers") {
      out.gathers = true;
    } else if (word == "--keep-going") {
      out.keep_going = true;
    } else if (word == "--no-shrink") {
      out.shrink = false;
    } else if (!takes_value(word)) {
      return wrong("unknown option " + std::string(word), "");
    } else if (i + 1 == count) {
      return wrong("option " + std::string(word) + " needs a value", "");
    } else if (!parse_value(word, words[++i], out)) {
      return wrong("wrong value of " + std::string(word), words[i]);
    }
  }
  const bool one = out.replay || out.shrink_only || out.keep;
  if (one && (out.recipe == "all" || out.first_seed != out.last_seed))
    return wrong("--replay, --shrink and --keep need one recipe and one seed", out.recipe);
  return out;
}

std::string usage() {
  std::string out =
      "phalanx-sim: runs the protocol cores of a cluster over a simulated network, in virtual "
      "time,\n"
      "from seeds, and checks the guarantees G1 to G10 from outside.\n\n"
      "  --seeds A..B      the histories to run (1..100)\n"
      "  --recipe NAME     what goes wrong (swarm); A+B: both; all: every recipe by turns\n"
      "  --nodes N         1 to 64 (the recipe draws)\n"
      "  --lanes N         1 to 8 (the recipe draws)\n"
      "  --faulty-ms N     virtual time of the faulty part (400)\n"
      "  --tapes           all that a lane is given is kept and replayed\n"
      "  --replicas        each node has an application with a replicated state\n"
      "  --gathers         payloads are read from logs and streams when frames arrive\n"
      "  --seconds S       stop after this much real time\n"
      "  --keep-going      count violations, do not stop at the first\n"
      "  --json            the result as one JSON object\n"
      "  --replay SEED     print one line an event of this history; column key on top\n"
      "  --keep PARTS      with these parts of its fault script alone: 0,3,drop; none\n"
      "  --shrink SEED     find the least of its fault script that still fails\n"
      "  --replay-file F   replay the membership of a real node from what phalanx recorder save\n"
      "                    wrote, and compare each decision; 0: all are the same\n"
      "  --no-shrink       a seed that fails is shrunk, unless so or --keep-going\n\n"
      "exit: 0 all guarantees held, 1 one did not, 2 usage\n\nrecipes:\n";
  for (const RecipeInfo& info : recipes()) {
    out += "  " + std::string(info.name) + std::string(28 - info.name.size(), ' ') +
           std::string(info.text) + "\n";
  }
  return out;
}

}  // namespace phalanx::sim
