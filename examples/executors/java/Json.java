import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, texts, numbers, booleans and null: the JDK has none. */
final class Json {
    private static final int DEEPEST = 50;
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** Throws IllegalArgumentException for what is no JSON. */
    static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.blanks();
        if (json.at < text.length()) throw json.wrong();
        return value;
    }

    static String write(Object value) {
        if (value instanceof Map<?, ?> map) {
            List<String> parts = new ArrayList<>();
            map.forEach((name, part) -> parts.add(quoted(String.valueOf(name)) + ":" + write(part)));
            return "{" + String.join(",", parts) + "}";
        }
        if (value instanceof List<?> list) return "[" + String.join(",", list.stream().map(Json::write).toList()) + "]";
        return value == null || value instanceof Number || value instanceof Boolean ? String.valueOf(value) : quoted(value.toString());
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\') quoted.append('\\').append(letter);
            else if (letter < ' ') quoted.append(String.format("\\u%04x", (int) letter));
            else quoted.append(letter);
        }
        return quoted.append('"').toString();
    }

    private Object value(int depth) {
        if (depth > DEEPEST) throw wrong();
        switch (peek()) {
            case '{': {
                Map<String, Object> map = new LinkedHashMap<>();
                for (next(); peek() != '}'; skipComma('}')) {
                    String name = string();
                    if (peek() != ':') throw wrong();
                    next();
                    map.put(name, value(depth + 1));
                }
                next();
                return map;
            }
            case '[': {
                List<Object> list = new ArrayList<>();
                for (next(); peek() != ']'; skipComma(']')) list.add(value(depth + 1));
                next();
                return list;
            }
            case '"':
                return string();
            default:
                return word();
        }
    }

    private Object word() {
        int from = at;
        while (at < text.length() && "+-.0123456789aeflnrstuE".indexOf(text.charAt(at)) >= 0) at++;
        String word = text.substring(from, at);
        switch (word) {
            case "true": return true;
            case "false": return false;
            case "null": return null;
            default: return Double.valueOf(word);
        }
    }

    private String string() {
        if (peek() != '"') throw wrong();
        next();
        StringBuilder found = new StringBuilder();
        while (at < text.length() && text.charAt(at) != '"') {
            char letter = next();
            if (letter != '\\') {
                found.append(letter);
                continue;
            }
            char escaped = next();
            int known = "bfnrt".indexOf(escaped);
            if (escaped == 'u') {
                found.append((char) Integer.parseInt(text, at, at + 4, 16));
                at += 4;
            } else found.append(known >= 0 ? "\b\f\n\r\t".charAt(known) : escaped);
        }
        next();
        return found.toString();
    }

    private void skipComma(char end) {
        if (peek() == ',') next();
        else if (peek() != end) throw wrong();
    }

    private char peek() {
        blanks();
        if (at >= text.length()) throw wrong();
        return text.charAt(at);
    }

    private char next() {
        if (at >= text.length()) throw wrong();
        return text.charAt(at++);
    }

    private void blanks() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) at++;
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no JSON, from character " + at + " on");
    }
}
