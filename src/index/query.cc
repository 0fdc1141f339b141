#include "index/query.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"

namespace gnomon::index {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
// What a name of a field, or a value without one, ends at.
bool ends_name(char c) {
  constexpr std::string_view special = "()[]{}\":<>";
  return is_blank(c) || special.find(c) != std::string_view::npos;
}

// A word as it is written.
struct Word {
  std::string plain;    // without the backslashes
  std::string pattern;  // with a backslash before each *, ? and \ that means itself
  bool wild = false;    // it has a wildcard
  bool quoted = false;
};

void append_plain(Word& word, char c) {
  word.plain += c;
  if (c == '*' || c == '?' || c == '\\') word.pattern += '\\';
  word.pattern += c;
}

// Parser: recursive descent. Owner: read_query().
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Query> read() {
    Query query = either({});
    if (!error_ && at_ < text_.size()) fail("')' without '('");
    if (error_) return *error_;
    return query;
  }

 private:
  // ---- combinations
  Query either(const std::string& field) {
    const Level level(*this);
    std::vector<Query> parts;
    do parts.push_back(both(field));
    while (!error_ && take_keyword("OR"));
    return joined(Query::Kind::either, std::move(parts));
  }
  Query both(const std::string& field) {
    std::vector<Query> parts;
    do parts.push_back(negation(field));
    while (!error_ && (take_keyword("AND") || follows()));
    return joined(Query::Kind::both, std::move(parts));
  }
  Query negation(const std::string& field) {
    const Level level(*this);
    skip_blanks();
    if (!take_keyword("NOT") && !take("-")) return clause(field);
    Query query;
    query.kind = Query::Kind::negation;
    query.parts.push_back(negation(field));
    return query;
  }
  static Query joined(Query::Kind kind, std::vector<Query> parts) {
    if (parts.size() == 1) return std::move(parts.front());
    Query query;
    query.kind = kind;
    query.parts = std::move(parts);
    return query;
  }
  // Whether another clause stands here, to be joined by AND.
  bool follows() {
    skip_blanks();
    return at_ < text_.size() && text_[at_] != ')' && !keyword("OR");
  }

  // ---- one clause
  Query clause(const std::string& field) {
    if (error_) return {};
    skip_blanks();
    if (take("(")) return in_parentheses(field);
    const std::size_t begin = at_;
    if (at_ >= text_.size()) return fail("a term is missing");
    if (text_[at_] == '"' || !field.empty()) return value(field);
    const Word name = word(ends_name);
    const std::size_t behind = at_;
    skip_blanks();
    if (behind == at_ && take(":")) {
      if (name.plain.empty()) return fail("a field is missing before ':'");
      if (name.wild) return fail("the name of a field has no wildcards");
      skip_blanks();
      return take("(") ? in_parentheses(name.plain) : value(name.plain);
    }
    if (at_ < text_.size() && (text_[at_] == '<' || text_[at_] == '>')) {
      if (name.plain.empty()) return fail("a field is missing before '<' or '>'");
      return value(name.plain);
    }
    at_ = begin;
    return value(field);
  }
  Query in_parentheses(const std::string& field) {
    Query query = either(field);
    skip_blanks();
    if (!error_ && !take(")")) return fail("')' is missing");
    return query;
  }

  Query value(const std::string& field) {
    skip_blanks();
    if (++terms_ > limits::query_terms_max) {
      return fail("there are more than " + std::to_string(limits::query_terms_max) +
                  " terms: use fewer");
    }
    if (take("[")) return range(field, true);
    if (take("{")) return range(field, false);
    for (const std::string_view sign : {">=", "<=", ">", "<"})
      if (take(sign)) return comparison(field, sign);
    const Word read = at_ < text_.size() && text_[at_] == '"'
                          ? quoted()
                          : word([](char c) { return is_blank(c) || c == ')' || c == '('; });
    if (error_) return {};
    if (read.plain.empty() && !read.quoted) return fail("a value is missing");
    return term(field, read);
  }
  Query term(const std::string& field, const Word& read) {
    Query query;
    query.field = field;
    if (!read.wild) {
      query.kind = Query::Kind::term;
      query.text = folded(read.plain);
      if (!read.quoted) query.number = number_of(read.plain);
    } else if (read.pattern == "*") {
      query.kind = field.empty() ? Query::Kind::all : Query::Kind::exists;
    } else if (read.pattern.front() == '*' || read.pattern.front() == '?') {
      return fail("a wildcard cannot be the first character of a term");
    } else {
      query.kind = Query::Kind::pattern;
      query.text = folded(read.pattern);
    }
    return query;
  }

  // ---- ranges
  Query comparison(const std::string& field, std::string_view sign) {
    auto bound = read_bound(sign.size() == 2);
    if (!error_ && !bound) return fail("a value is missing behind '" + std::string(sign) + "'");
    std::optional<Bound> none;
    return sign.front() == '>' ? ranging(field, std::move(bound), none)
                               : ranging(field, none, std::move(bound));
  }
  Query range(const std::string& field, bool least_included) {
    auto least = read_bound(least_included);
    if (!error_ && !take_keyword("TO")) return fail("'TO' is missing in a range");
    auto most = read_bound(true);
    skip_blanks();
    if (error_) return {};
    if (take("}")) {
      if (most) most->included = false;
    } else if (!take("]")) {
      return fail("']' or '}' is missing");
    }
    return ranging(field, std::move(least), std::move(most));
  }
  // nullopt: *.
  std::optional<Bound> read_bound(bool is_included) {
    skip_blanks();
    if (error_) return std::nullopt;
    const Word read = at_ < text_.size() && text_[at_] == '"' ? quoted() : word([](char c) {
      return is_blank(c) || c == ')' || c == '(' || c == ']' || c == '}';
    });
    if (!error_ && read.wild && read.pattern == "*") return std::nullopt;
    if (!error_ && read.wild) fail("a bound has no wildcards");
    if (!error_ && read.plain.empty() && !read.quoted) fail("a bound is missing");
    numbers_ = numbers_ && !read.quoted && number_of(read.plain);
    return Bound{folded(read.plain), number_of(read.plain).value_or(0), is_included};
  }
  Query ranging(const std::string& field, std::optional<Bound> least, std::optional<Bound> most) {
    Query query;
    query.field = field;
    query.kind = least || most ? Query::Kind::range : Query::Kind::exists;
    if (field.empty() && query.kind == Query::Kind::exists) query.kind = Query::Kind::all;
    query.numeric = std::exchange(numbers_, true);
    query.least = std::move(least);
    query.most = std::move(most);
    return query;
  }

  // ---- words
  template <class Ends>
  Word word(Ends&& ends) {
    Word read;
    for (; at_ < text_.size() && !ends(text_[at_]); ++at_) {
      const char c = text_[at_];
      if (c == '\\') {
        if (++at_ == text_.size()) {
          fail("nothing stands behind '\\'");
          return read;
        }
        append_plain(read, text_[at_]);
      } else if (c == '*' || c == '?') {
        read.wild = true;
        read.plain += c;
        read.pattern += c;
      } else {
        append_plain(read, c);
      }
    }
    return read;
  }
  Word quoted() {
    Word read;
    read.quoted = true;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return read;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      append_plain(read, text_[at_]);
    }
    fail("a quote is not closed");
    return read;
  }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool take(std::string_view sign) {
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  [[nodiscard]] bool keyword(std::string_view name) const {
    const std::string_view rest = text_.substr(at_);
    return rest.starts_with(name) &&
           (rest.size() == name.size() || is_blank(rest[name.size()]) || rest[name.size()] == '(');
  }
  bool take_keyword(std::string_view name) {
    skip_blanks();
    if (!keyword(name)) return false;
    at_ += name.size();
    return true;
  }

  Query fail(const std::string& what) {
    if (!error_)
      error_ = Error{Code::invalid, what + " (at character " + std::to_string(at_ + 1) + ")"};
    return {};
  }

  // Level: one step down the tree.
  struct Level {
    explicit Level(Parser& parser) : of(parser) {
      if (++of.depth_ > limits::query_depth_max) of.fail("the query is nested too deeply");
    }
    ~Level() { --of.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    Parser& of;
  };

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t terms_ = 0;
  int depth_ = 0;
  bool numbers_ = true;  // of the range that is read: its bounds are
  std::optional<Error> error_;
};

bool within(const Query& query, const auto& value, const auto& of) {
  const auto above = [&](const Bound& least) {
    return least.included ? value >= of(least) : value > of(least);
  };
  const auto below = [&](const Bound& most) {
    return most.included ? value <= of(most) : value < of(most);
  };
  return (!query.least || above(*query.least)) && (!query.most || below(*query.most));
}

// Whether a value is as the leaf of a query says.
bool fits(const Query& query, const Value& value) {
  const bool number = value.kind == Value::Kind::number;
  switch (query.kind) {
    case Query::Kind::exists:
      return true;
    case Query::Kind::term:
      return number ? query.number == value.number : folded(value.text) == query.text;
    case Query::Kind::pattern:
      return !number && matches_pattern(query.text, folded(value.text));
    case Query::Kind::range:
      if (query.numeric != number) return false;
      return number ? within(query, value.number, [](const Bound& at) { return at.number; })
                    : within(query, folded(value.text),
                             [](const Bound& at) -> const std::string& { return at.text; });
    default:
      return false;
  }
}

}  // namespace

Result<Query> read_query(std::string_view text) {
  if (text.size() > limits::query_bytes_max) {
    return Error{Code::invalid, "it is longer than " + std::to_string(limits::query_bytes_max) +
                                    " bytes (" + std::to_string(text.size()) + ")"};
  }
  return Parser(text).read();
}

void each_leaf(const Query& query, const std::function<void(const Query&)>& visit) {
  if (query.parts.empty()) visit(query);
  for (const Query& part : query.parts) each_leaf(part, visit);
}

bool matches(const Query& query, const Subject& subject) {
  const auto part_matches = [&](const Query& part) { return matches(part, subject); };
  switch (query.kind) {
    case Query::Kind::all:
      return true;
    case Query::Kind::both:
      return std::ranges::all_of(query.parts, part_matches);
    case Query::Kind::either:
      return std::ranges::any_of(query.parts, part_matches);
    case Query::Kind::negation:
      return !part_matches(query.parts.front());
    default:
      break;
  }
  bool found = false;
  subject.each(query.field, [&](const Value& value) { return found = fits(query, value); });
  return found;
}

// Back to the last * whenever a letter does not fit.
bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, in = 0;
  std::size_t star = std::string_view::npos, retry = 0;
  while (in < text.size()) {
    const bool escaped = at + 1 < pattern.size() && pattern[at] == '\\';
    const char c = at < pattern.size() ? pattern[escaped ? at + 1 : at] : '\0';
    if (at < pattern.size() && !escaped && c == '*') {
      star = ++at;
      retry = in;
    } else if (at < pattern.size() && ((!escaped && c == '?') || c == text[in])) {
      at += escaped ? 2 : 1;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star;
      in = ++retry;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

}  // namespace gnomon::index
