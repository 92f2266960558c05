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
  budget one;
  one.where = {.file = in.file().string(), .line = table.source().begin.line};
  for (const auto& [key, value] : table) {
    if (key.str() == "match" || key.str() == "file") {
      pattern read = read_pattern(in, value, key.str());
      const bool match = key.str() == "match";
      (match ? one.match_text : one.file_text) = std::move(read.text);
      (match ? one.match : one.file) = std::move(read.what);
    } else {
      const std::uint64_t bytes = read_bytes(in, value, key.str());
      (key.str() == "frame" ? one.frame : key.str() == "await" ? one.await : one.chain) = bytes;
    }
  }
  if (!one.match && !one.file) in.complain(table, "a budget has a 'match' or a 'file': what it is for");
  if (!one.frame && !one.await && !one.chain) in.complain(table, "a budget has a 'frame', an 'await' or a 'chain'");
  return one;
}

std::string head_of(const budget& one) {
  return one.where.line == 0 ? std::string() : fmt::format(" ({}:{})", one.where.file, one.where.line);
}

std::string_view matched_part(std::string_view text) { return text.substr(0, longest_matched_name); }

bool finds(const std::regex& pattern, std::string_view text) {
  const auto part = matched_part(text);
  return std::regex_search(part.begin(), part.end(), pattern);
}

}  // namespace

bool budget::fits(const coroutine& one) const {
  return (!match || finds(*match, one.name)) && (!file || finds(*file, one.declared.file));
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
  const bool wants_chains = std::ranges::any_of(budgets, [](const budget& one) { return one.chain.has_value(); });
  const std::optional<chains> ways = wants_chains ? std::optional<chains>(std::in_place, all) : std::nullopt;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const coroutine& one = all[i];
    if (!one.frame_bytes) continue;
    for (const budget& rule : budgets) {
      if (!rule.fits(one)) continue;
      if (rule.frame && *one.frame_bytes > *rule.frame) {
        found.push_back(
            {.of = &one,
             .where = one.declared,
             .rule = "frame",
             .bytes = *one.frame_bytes,
             .limit = *rule.frame,
             .message = fmt::format("the frame of {} is {} bytes, {} above its budget of {}{}", one.name,
                                    *one.frame_bytes, *one.frame_bytes - *rule.frame, *rule.frame, head_of(rule))});
      }
      if (rule.await) {
        for (const auto& await : one.awaits) {
          const std::uint64_t kept = await.live_bytes + await.held_bytes;
          if (await.kind != suspension::await || kept <= *rule.await) continue;
          found.push_back({.of = &one,
                           .where = await.where,
                           .rule = "await",
                           .bytes = kept,
                           .limit = *rule.await,
                           .message = fmt::format("{} holds {} bytes across this await, {} above its budget of {}{}",
                                                  one.name, kept, kept - *rule.await, *rule.await, head_of(rule))});
        }
      }
      if (rule.chain && ways->heaviest(i) > *rule.chain) {
        found.push_back(
            {.of = &one,
             .where = one.declared,
             .rule = "chain",
             .bytes = ways->heaviest(i),
             .limit = *rule.chain,
             .message = fmt::format("{} and what it awaits take {} bytes, {} above the budget of {}{}", one.name,
                                    ways->heaviest(i), ways->heaviest(i) - *rule.chain, *rule.chain, head_of(rule))});
      }
    }
  }
  return found;
}

std::vector<violation> check_declared(std::span<const coroutine> all) {
  std::vector<violation> found;
  for (const auto& one : all) {
    if (!one.frame_bytes || !one.declared_budget || *one.frame_bytes <= *one.declared_budget) continue;
    found.push_back(
        {.of = &one,
         .where = one.declared,
         .rule = "declared",
         .bytes = *one.frame_bytes,
         .limit = *one.declared_budget,
         .message = fmt::format("the frame of {} is {} bytes, {} above its TARE_FRAME_BUDGET of {}", one.name,
                                *one.frame_bytes, *one.frame_bytes - *one.declared_budget, *one.declared_budget)});
  }
  return found;
}

}  // namespace tare::inspect
