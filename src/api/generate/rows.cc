#include "api/generate/rows.h"

#include <algorithm>

namespace gnomon::api::generate {
namespace {

constexpr std::string_view blanks = " ";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  const std::size_t end = text.find_last_not_of(blanks);
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t end = text.find(by);
    const std::string_view piece = trimmed(text.substr(0, end));
    if (!piece.empty() || by != ' ') pieces.push_back(piece);
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

bool is_word(std::string_view text, std::string_view more = {}) {
  return !text.empty() && std::ranges::all_of(text, [more](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

class Reader {
 public:
  explicit Reader(const std::string& file) { rows_.file = file; }

  Rows read(std::string_view text) {
    for (const std::string_view line : split(text, '\n')) {
      ++line_;
      if (line.empty() || line[0] == '#') continue;
      line.find('|') == std::string_view::npos ? read_head(line) : read_row(line);
    }
    for (const std::string* needed :
         {&rows_.service, &rows_.scope, &rows_.arn, &rows_.invalid, &rows_.malformed}) {
      if (needed->empty()) fail("the head wants service, scope, arn, invalid and malformed");
    }
    return std::move(rows_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Failure(rows_.file + ":" + std::to_string(line_) + ": error: " + why);
  }

  void read_head(std::string_view line) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, blank);
    const std::string value(trimmed(line.substr(blank)));
    if (value.empty()) fail("'" + std::string(word) + "' has no value");
    if (!rows_.rows.empty()) fail("the head goes before the rows, which have seven cells");
    if (word == "route" || word == "pattern") {
      const std::size_t end = std::min(value.find(' '), value.size());
      auto& map = word == "route" ? rows_.routes : rows_.patterns;
      map[value.substr(0, end)] = trimmed(std::string_view(value).substr(end));
      return;
    }
    if (word == "ok") {
      rows_.ok.insert(value);
      return;
    }
    std::string* const place = word == "service"     ? &rows_.service
                               : word == "scope"     ? &rows_.scope
                               : word == "arn"       ? &rows_.arn
                               : word == "invalid"   ? &rows_.invalid
                               : word == "malformed" ? &rows_.malformed
                               : word == "trace"     ? &rows_.trace
                                                     : nullptr;
    if (place == nullptr) fail("'" + std::string(word) + "' is no word of the head");
    if (word == "scope" && value != "regional" && value != "global" && value != "either") {
      fail("a scope is regional, global or either");
    }
    *place = value;
  }

  void read_row(std::string_view line) {
    const auto cells = split(line, '|');
    if (cells.size() != 7) {
      fail(
          "a row has seven cells: operation, action, resources, condition keys, auth, payload, "
          "roles passed");
    }
    for (const std::string_view cell : cells) {
      if (cell.empty()) fail("an empty cell; '-' or 'none' says that there is nothing");
    }
    RowText row;
    row.line = line_;
    row.operation = cells[0];
    const auto same = [&row](const RowText& other) { return other.operation == row.operation; };
    if (std::ranges::any_of(rows_.rows, same)) fail(row.operation + " has two rows");
    read_actions(cells[1], row);
    read_resources(cells[2], row);
    if (cells[3] != "-") {
      for (const std::string_view item : split(cells[3], ' ')) row.keys.push_back(read_key(item));
    }
    for (const std::string_view word : split(cells[4], ',')) {
      if (word != "sigv4" && word != "unsigned" && word != "certificate") {
        fail("auth is of sigv4, unsigned and certificate, not '" + std::string(word) + "'");
      }
      row.auth.emplace_back(word);
    }
    if (cells[5] != "hashed" && cells[5] != "unsigned") fail("a payload is hashed or unsigned");
    row.may_be_unsigned = cells[5] == "unsigned";
    row.passes_none = cells[6] == "none";
    if (cells[6] != "-" && cells[6] != "none") {
      for (const std::string_view item : split(cells[6], ' ')) {
        const std::size_t at = item.find("}@");
        if (item[0] != '{' || at == std::string_view::npos || at + 2 == item.size()) {
          fail("a role is passed as {member}@service, not '" + std::string(item) + "'");
        }
        row.passes.push_back(
            {std::string(item.substr(1, at - 1)), std::string(item.substr(at + 2))});
      }
    }
    rows_.rows.push_back(std::move(row));
  }

  void read_actions(std::string_view cell, RowText& row) {
    if (cell == "none") return;
    for (const std::string_view item : split(cell, ' ')) {
      const std::size_t mark = std::min(item.find('?'), item.size());
      const std::string_view name = item.substr(0, mark);
      const std::size_t colon = std::min(name.find(':'), name.size());
      if (!is_word(name.substr(0, colon), "-") || colon == name.size() ||
          !is_word(name.substr(colon + 1))) {
        fail("an action is service:Name, not '" + std::string(item) + "'");
      }
      row.actions.push_back(
          {std::string(name), std::string(item.substr(std::min(mark + 1, item.size())))});
    }
  }

  void read_resources(std::string_view cell, RowText& row) {
    if (cell == "*") return;
    for (std::string_view item : split(cell, ' ')) {
      TemplateText one;
      one.optional = item.ends_with('?');
      if (one.optional) item.remove_suffix(1);
      if (item[0] != '{' && !item.starts_with("arn:")) read_parts(rows_.arn, one);
      read_parts(item, one);
      row.resources.push_back(std::move(one));
    }
  }

  void read_parts(std::string_view text, TemplateText& out) {
    while (!text.empty()) {
      const std::size_t open = std::min(text.find('{'), text.size());
      if (open > 0) out.parts.push_back({PartText::Kind::text, std::string(text.substr(0, open))});
      text.remove_prefix(open);
      if (text.empty()) return;
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) fail("'{' without '}'");
      out.parts.push_back(read_part(text.substr(1, close - 1)));
      text.remove_prefix(close + 1);
    }
  }

  PartText read_part(std::string_view text) {
    if (text == "@account") return {PartText::Kind::account};
    if (text == "@region") return {PartText::Kind::region};
    PartText part{PartText::Kind::member};
    if (text.starts_with('/')) {
      part.prefix = "/";
      text.remove_prefix(1);
    }
    if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
      part.fallback = text.substr(equals + 1);
      text = text.substr(0, equals);
    }
    if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
      part.lookup = text.substr(0, colon);
      text = text.substr(colon + 1);
    }
    if (!is_word(text, ".")) fail("'{" + std::string(text) + "}' names no member");
    part.text = text;
    return part;
  }

  KeyText read_key(std::string_view item) {
    constexpr std::string_view of_target = "iam:PermissionsBoundary=@target";
    if (item == of_target) return {"target_boundary", "iam:PermissionsBoundary", ""};
    const std::size_t equals = item.find("={");
    if (equals == std::string_view::npos || !item.ends_with('}')) {
      fail("a condition key is name={member}, not '" + std::string(item) + "'");
    }
    const std::string name(item.substr(0, equals));
    const std::string member(item.substr(equals + 2, item.size() - equals - 3));
    if (name == "tags") return {"tags", "", member};
    if (name == "tagkeys") return {"tag_keys", "", member};
    if (name.find(':') == std::string::npos) fail("a condition key has a ':'");
    return {"value", name, member};
  }

  Rows rows_;
  int line_ = 0;
};

}  // namespace

Rows read_rows(const std::string& file, std::string_view text) { return Reader(file).read(text); }

}  // namespace gnomon::api::generate
