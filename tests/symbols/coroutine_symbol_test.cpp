#include "symbols/coroutine_symbol.hpp"

#include <gtest/gtest.h>

namespace {

using tare::detail::coroutine_symbol;
using tare::detail::readable_name;

TEST(coroutine_symbol, of_clang) {
  EXPECT_EQ(coroutine_symbol("_Z3allv.resume"), "_Z3allv");
  EXPECT_EQ(coroutine_symbol("_Z3allv.destroy"), "_Z3allv");
  EXPECT_EQ(readable_name("_Z7genericIlEN4tare4taskIT_EES2_.resume"), "tare::task<long> generic<long>(long)");
  EXPECT_EQ(readable_name("_ZZ3allvENK3$_0clEi.resume"), "all()::$_0::operator()(int) const");
}

TEST(coroutine_symbol, of_gcc) {
  EXPECT_EQ(coroutine_symbol("_Z3allPZ3allvE13_Z3allv.Frame.actor"), "_Z3allv");
  EXPECT_EQ(coroutine_symbol("_Z3allPZ3allvE13_Z3allv.Frame.destroy"), "_Z3allv");
  EXPECT_EQ(readable_name("_ZN12_GLOBAL__N_16hiddenEPZNS_6hiddenEiE32_ZN12_GLOBAL__N_16hiddenEi.Frame.actor"),
            "(anonymous namespace)::hidden(int)");
  EXPECT_EQ(readable_name("_ZZ3allvENUliE_clEPZZ3allvENKS_clEiE26_ZZ3allvENKUliE_clEi.Frame.actor"),
            "all()::{lambda(int)#1}::operator()(int) const");
}

TEST(coroutine_symbol, other_names_stay_as_they_are) {
  EXPECT_EQ(coroutine_symbol(""), "");
  EXPECT_EQ(coroutine_symbol("main"), "main");
  EXPECT_EQ(coroutine_symbol("a.Frame.actor"), "a");
  EXPECT_EQ(readable_name("_Zno"), "_Zno");
  EXPECT_EQ(readable_name("_Z3allv"), "all()");
}

}  // namespace
