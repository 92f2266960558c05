// The symbols of the functions that coroutines are split into.

#include "inspect/coroutine/part_symbol.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tare::inspect {
namespace {

const std::vector<std::string>& suffixes() {
  static const std::vector<std::string> all{"",         ".lto_priv.0",         ".llvm.1107887426159334850", ".12",
                                            ".clone.3", ".constprop.0.isra.0", ".lto_priv.1.lto_priv.0"};
  return all;
}

void expect(const std::string& symbol, const std::string& coroutine, function_role role, producer made_by, bool whole) {
  const auto part = part_symbol_of(symbol);
  ASSERT_TRUE(part) << symbol;
  EXPECT_EQ(part->coroutine, coroutine) << symbol;
  EXPECT_EQ(part->role, role) << symbol;
  EXPECT_EQ(part->made_by, made_by) << symbol;
  EXPECT_EQ(part->whole, whole) << symbol;
}

TEST(part_symbol, names_its_coroutine_whatever_a_compiler_appends) {
  for (const auto& suffix : suffixes()) {
    expect("_Z5servev.resume" + suffix, "_Z5servev", function_role::resume, producer::clang, true);
    expect("_Z5servev.destroy" + suffix, "_Z5servev", function_role::destroy, producer::clang, true);
    expect("_Z5servev.cleanup" + suffix, "_Z5servev", function_role::cleanup, producer::clang, true);
    expect("_ZL5servev.llvm.7.resume" + suffix, "_ZL5servev", function_role::resume, producer::clang, true);
    const auto gcc = [&suffix](const char* part, const char* cold = "") {
      std::string name = "_Z5servePZ5servevE15_Z5servev.Frame";
      name += part;
      name += suffix;
      name += cold;
      return name;
    };
    expect(gcc(".actor"), "_Z5servev", function_role::resume, producer::gcc, true);
    expect(gcc(".destroy"), "_Z5servev", function_role::destroy, producer::gcc, true);
    expect(gcc(".actor", ".cold"), "_Z5servev", function_role::resume, producer::gcc, false);
    expect(gcc(".actor.part.0"), "_Z5servev", function_role::resume, producer::gcc, false);
  }
}

TEST(part_symbol, other_functions_are_none) {
  for (const auto& suffix : suffixes()) {
    for (const char* name : {"main", "_Z5servev", "_Z6resumev", "resume", ".resume", "_ZN6server7destroyEv"}) {
      EXPECT_FALSE(part_symbol_of(name + suffix)) << name << suffix;
    }
  }
}

TEST(clone_suffixes, are_taken_off) {
  for (const auto& suffix : suffixes()) EXPECT_EQ(without_clone_suffixes("_Z5servev" + suffix), "_Z5servev");
  EXPECT_EQ(without_clone_suffixes(""), "");
  EXPECT_EQ(without_clone_suffixes(".0"), ".0");
  EXPECT_EQ(without_clone_suffixes("f.cold"), "f");
}

}  // namespace
}  // namespace tare::inspect
