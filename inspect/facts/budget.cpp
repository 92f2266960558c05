#include "inspect/facts/budget.hpp"

#include "base/text_file.hpp"
#include "base/toml_file.hpp"
#include "inspect/facts/chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t max_budget = std::uint64_t{1} << 40;
/// std::regex recurses for each character, so names are cut.
constexpr std::size_t longest_matched_name = 4096;

using base::toml_reader;

struct pattern {
  std::string text;
  std::regex what;
};

pattern read_pattern(toml_reader& in, const toml::node& node, std::string_view key) {
  const auto value = node.value_exact<std::string>();
  if (!value || value->empty()) {
    in.complain(node, fmt::format("'{}' must be a regular expression in quotes", key));
    return {};
  }
  try {
    return {.text = *value, .what = std::regex(*value, std::regex::ECMAScript | std::regex::optimize)};
  } catch (const std::regex_error& wrong) {
    in.complain(node, fmt::format("'{}' is not a regular expression: {}", key, wrong.what()));
    return {};
  }
}

std::uint64_t read_bytes(toml_reader& in, const toml::node& node, std::string_view key) {
  if (const auto number = node.value_exact<std::int64_t>()) {
    if (*number > 0 && std::cmp_less_equal(*number, max_budget)) return static_cast<std::uint64_t>(*number);
  } else if (const auto text = node.value_exact<std::string>()) {
    if (const auto size = parse_bytes(*text); size && *size > 0 && *size <= max_budget) return *size;
  }
  in.complain(node, fmt::format("'{}' must be a size above 0 in bytes, such as 256 or \"1 KiB\"", key));
  return 1;
}

budget read_budget(toml_reader& in, const toml::table& table) {
  static constexpr std::array<std::string_view, 5> known{"match", "file", "frame", "await", "chain"};
  in.allow_keys(table, known, "[[budget]]");
  budget made;
  made.where = {.file = in.file().string(), .line = table.source().begin.line};
  for (const auto& [key, value] : table) {
    if (key.str() == "match" || key.str() == "file") {
      pattern read = read_pattern(in, value, key.str());
      const bool match = key.str() == "match";
      (match ? made.match_text : made.file_text) = std::move(read.text);
      (match ? made.match : made.file) = std::move(read.what);
    } else {
      const std::uint64_t bytes = read_bytes(in, value, key.str());
      (key.str() == "frame" ? made.frame : key.str() == "await" ? made.await : made.chain) = bytes;
    }
  }
  if (!made.match && !made.file) in.complain(table, "a budget has a 'match' or a 'file': what it is for");
  if (!made.frame && !made.await && !made.chain) in.complain(table, "a budget has a 'frame', an 'await' or a 'chain'");
  return made;
}

std::string head_of(const budget& budget) {
  return budget.where.line == 0 ? std::string() : fmt::format(" ({}:{})", budget.where.file, budget.where.line);
}

std::string_view matched_part(std::string_view text) { return text.substr(0, longest_matched_name); }

bool finds(const std::regex& pattern, std::string_view text) {
  const auto part = matched_part(text);
  return std::regex_search(part.begin(), part.end(), pattern);
}

}  // namespace

bool budget::fits(const coroutine& coroutine) const {
  return (!match || finds(*match, coroutine.name)) && (!file || finds(*file, coroutine.declared.file));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc{}) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 7> units{
      {{"", 1}, {"B", 1}, {"kB", 1000}, {"KiB", 1024}, {"K", 1024}, {"MB", 1'000'000}, {"MiB", 1'048'576}}};
  for (const auto& [name, factor] : units) {
    if (name != unit) continue;
    if (number > ~std::uint64_t{0} / factor) return std::nullopt;
    return number * factor;
  }
  return std::nullopt;
}

base::result<std::vector<budget>> parse_budgets(std::string_view text, const std::filesystem::path& file) {
  static constexpr std::array<std::string_view, 1> known{"budget"};
  const auto top = base::parse_toml(text, file);
  if (!top) return std::unexpected(top.error());
  toml_reader in(file);
  in.allow_keys(*top, known, "the file");
  std::vector<budget> budgets;
  for (const auto* table : in.tables(*top, "budget")) budgets.push_back(read_budget(in, *table));
  if (in.error()) return std::unexpected(*in.error());
  return budgets;
}

base::result<std::vector<budget>> read_budgets(const std::filesystem::path& file) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  return parse_budgets(*text, file);
}

std::vector<violation> check_budgets(std::span<const coroutine> all, std::span<const budget> budgets) {
  std::vector<violation> found;
  const bool wants_chains = std::ranges::any_of(budgets, [](const budget& each) { return each.chain.has_value(); });
  const std::optional<chains> ways = wants_chains ? std::optional<chains>(std::in_place, all) : std::nullopt;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const coroutine& each = all[i];
    if (!each.frame_bytes) continue;
    for (const budget& rule : budgets) {
      if (!rule.fits(each)) continue;
      if (rule.frame && *each.frame_bytes > *rule.frame) {
        found.push_back(
            {.of = &each,
             .where = each.declared,
             .rule = "frame",
             .bytes = *each.frame_bytes,
             .limit = *rule.frame,
             .message = fmt::format("the frame of {} is {} bytes, {} above its budget of {}{}", each.name,
                                    *each.frame_bytes, *each.frame_bytes - *rule.frame, *rule.frame, head_of(rule))});
      }
      if (rule.await) {
        for (const auto& await : each.awaits) {
          const std::uint64_t kept = await.live_bytes + await.held_bytes;
          if (await.kind != suspension::await || kept <= *rule.await) continue;
          found.push_back({.of = &each,
                           .where = await.where,
                           .rule = "await",
                           .bytes = kept,
                           .limit = *rule.await,
                           .message = fmt::format("{} holds {} bytes across this await, {} above its budget of {}{}",
                                                  each.name, kept, kept - *rule.await, *rule.await, head_of(rule))});
        }
      }
      if (rule.chain && ways->heaviest(i) > *rule.chain) {
        found.push_back(
            {.of = &each,
             .where = each.declared,
             .rule = "chain",
             .bytes = ways->heaviest(i),
             .limit = *rule.chain,
             .message = fmt::format("{} and what it awaits take {} bytes, {} above the budget of {}{}", each.name,
                                    ways->heaviest(i), ways->heaviest(i) - *rule.chain, *rule.chain, head_of(rule))});
      }
    }
  }
  return found;
}

std::vector<violation> check_declared(std::span<const coroutine> all) {
  std::vector<violation> found;
  for (const auto& each : all) {
    if (!each.frame_bytes || !each.declared_budget || *each.frame_bytes <= *each.declared_budget) continue;
    found.push_back(
        {.of = &each,
         .where = each.declared,
         .rule = "declared",
         .bytes = *each.frame_bytes,
         .limit = *each.declared_budget,
         .message = fmt::format("the frame of {} is {} bytes, {} above its TARE_FRAME_BUDGET of {}", each.name,
                                *each.frame_bytes, *each.frame_bytes - *each.declared_budget, *each.declared_budget)});
  }
  return found;
}

}  // namespace tare::inspect
