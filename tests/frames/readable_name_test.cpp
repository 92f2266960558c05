// Readable names of functions and types.

#include "inspect/coroutine/readable_name.hpp"

#include <gtest/gtest.h>

namespace tare::inspect {
namespace {

TEST(readable_function, lambdas_are_folded_with_all_their_parameters) {
  EXPECT_EQ(readable_function("_ZZ1fiENKUliE_clEi"), "f(int)::{lambda}::operator()(int)");
  EXPECT_EQ(readable_function("_ZZ1fiENKUlilE_clEil"), "f(int)::{lambda}::operator()(int, long)");
  EXPECT_EQ(readable_function("_ZZ1fiENK3$_0clEil"), "f(int)::{lambda}::operator()(int, long)");
  EXPECT_EQ(readable_function("_ZZ1fiENKUlT_T0_E0_clIilEE4taskS_S0_"),
            "f(int)::{lambda}::operator()<int, long>(auto, auto)");
  EXPECT_EQ(readable_function("_Z1gIZ1fiEUlilE_EvT_"), "g<f(int)::{lambda}>(f(int)::{lambda})");
}

TEST(readable_function, lambdas_in_templates_have_no_return_type) {
  EXPECT_EQ(readable_function("_ZZ5outerIiESt6vectorIT_SaIS1_EES1_ENKUliE_clEi"),
            "outer<int>(int)::{lambda}::operator()(int)");
  EXPECT_EQ(readable_function("_ZZZ5thirdIiEPKmT_ENKUlS2_E_clIiEE4taskS2_ENKUlS2_E_clIiEES5_S2_"),
            "third<int>(int)::{lambda}::operator()<int>(int) const::{lambda}::operator()<int>(int)");
  EXPECT_EQ(readable_function("_ZZN12_GLOBAL__N_15fifthImEET_S1_ENKUlmE_clEm"),
            "fifth<unsigned long>(unsigned long)::{lambda}::operator()(unsigned long)");
  EXPECT_EQ(readable_function("_ZZ6fourthIiEPFvcET_ENKUliE_clEi"),
            "void (*fourth<int>(int))(char)::{lambda}::operator()(int)");
  EXPECT_EQ(readable_function("_ZZN1AcvmEvENKUlvE_clEv"), "A::operator unsigned long()::{lambda}::operator()()");
  EXPECT_EQ(readable_function("_ZN1AcvmEv"), "A::operator unsigned long()");
}

TEST(readable_function, copies_have_the_name_of_the_function) {
  EXPECT_EQ(readable_function("_ZL1fi.llvm.1107887426159334850"), "f(int)");
  EXPECT_EQ(readable_function("_ZL1fi.lto_priv.0"), "f(int)");
}

TEST(readable_function, types_that_gcc_has_in_a_coroutine_are_local_to_it) {
  EXPECT_EQ(readable_function("_Z1gIZ1fPZ1fiE11_Z1fi.Frame.actorE5localEvT_"), "g<f(int)::local>(f(int)::local)");
}

TEST(declared_name, is_what_stands_at_the_declaration) {
  EXPECT_EQ(declared_name("_ZN6server5serveEi"), "serve");
  EXPECT_EQ(declared_name("_ZN6server5serveB5cxx11Ei"), "serve");
  EXPECT_EQ(declared_name("_Z1gIZ1fiEUlilE_EvT_"), "g");
  EXPECT_EQ(declared_name("_ZN6serverclEi"), "operator()");
  EXPECT_EQ(declared_name("_ZL1fi.llvm.11"), "f");
  EXPECT_EQ(declared_name("plain_c"), "plain_c");
}

TEST(declared_name, of_a_lambda_is_none) {
  for (const char* name : {"_ZZ1fiENKUliE_clEi", "_ZZ1fiENKUlilE_clEil", "_ZZ1fiENK3$_0clEil",
                           "_ZZ1fiENKUlT_T0_E0_clIilEE4taskS_S0_", "_ZNK1nMUliE_clEi"}) {
    EXPECT_EQ(declared_name(name), "") << name;
  }
}

}  // namespace
}  // namespace tare::inspect
