#include "db/statement_cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using cache = tare::db::detail::statement_cache<int>;

TEST(statement_cache, gives_up_the_one_used_longest_ago) {
  cache all(2);
  EXPECT_EQ(all.surplus(), nullptr);
  all.add("one", 1);
  EXPECT_EQ(all.surplus(), nullptr);
  int& two = all.add("two", 2);
  ASSERT_NE(all.surplus(), nullptr);
  EXPECT_EQ(*all.surplus(), 1);

  ASSERT_NE(all.find("one"), nullptr);
  EXPECT_EQ(all.surplus(), &two);
  all.drop_surplus();
  EXPECT_EQ(all.find("two"), nullptr);
  EXPECT_EQ(*all.find("one"), 1);
  EXPECT_EQ(all.size(), 1U);
}

TEST(statement_cache, keeps_the_text_itself) {
  cache all(4);
  {
    std::string text = "SELECT a text that is long enough to lie on the heap";
    all.add(text, 7);
    text.assign(text.size(), 'x');
  }
  EXPECT_EQ(*all.find("SELECT a text that is long enough to lie on the heap"), 7);
  all.remove("SELECT a text that is long enough to lie on the heap");
  EXPECT_EQ(all.size(), 0U);
  all.remove("not there");
}

}  // namespace
