package html

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/extscope/extscope/ext/exttest"
)

// A browser is a page in headless Chromium. What goes wrong in it fails the test.
type browser struct {
	testing.TB
	ctx context.Context

	refuses bool // the page holds what its policy has to refuse, and the console to tell

	mu       sync.Mutex
	requests []string
}

// open opens a file of HTML. At the end of the test there must have been no message on the
// console, no dialog, and no request but that for the file.
func open(t *testing.T, file string) *browser {
	t.Helper()
	chromium := exttest.Tool(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute) // the end of the test asks it still
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, end := chromedp.NewContext(ctx)
	b := &browser{TB: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	must(t, chromedp.Listen(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			b.requests = append(b.requests, e.Request.URL)
		case *page.EventJavascriptDialogOpening:
			t.Errorf("a dialog: %s", e.Message)
		}
	}))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	must(t, err)
	messages := chromedp.Console(ctx)
	where := (&url.URL{Scheme: "file", Path: file}).String()
	t.Cleanup(func() {
		b.mu.Lock()
		// What the policy refuses is a request as well here.
		if !b.refuses && len(b.requests) != 1 || b.requests[0] != where {
			t.Errorf("requests: %q", b.requests)
		}
		b.mu.Unlock()
		// A last message of our own ends the list.
		b.eval(`void console.log("the end")`)
		refused := 0
		for m, err := range messages {
			if err != nil {
				t.Errorf("console: %v", err)
				break
			}
			if m.Text == "the end" {
				break
			}
			if b.refuses && strings.Contains(m.Text, "Content Security Policy") {
				refused++
				continue
			}
			t.Errorf("console: %s", m)
		}
		if b.refuses && refused == 0 {
			t.Error("the policy refused nothing")
		}
		end()
		stop()
		cancel()
	})
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(where))
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	must(b, chromedp.Do(b.ctx, steps...))
}

// eval gives what an expression is, as text.
func (b *browser) eval(expression string) string {
	b.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	must(b, err)
	return s
}

// want checks what an expression is.
func (b *browser) want(expression, want string) {
	b.Helper()
	if got := b.eval(expression); got != want {
		b.Errorf("%s is %q, want %q", expression, got, want)
	}
}

// written puts a document into a file and opens that.
func openDocument(t *testing.T, d *Document) *browser {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	must(t, os.WriteFile(file, []byte(written(t, d)), 0o600))
	return open(t, file)
}

func TestBrowserTables(t *testing.T) {
	b := openDocument(t, sample(130))
	b.eval(`void (window.visible = () => [...document.querySelectorAll("#one-a tbody tr")].filter(r => r.offsetParent).map(r => r.cells[0].textContent))`)
	b.want(`visible().length`, "50")
	b.want(`visible()[0]`, "0")
	b.do(chromedp.Click(chromedp.CSS("#one-a .pages button:last-child")))
	b.want(`visible()[0]`, "50")
	b.do(chromedp.Click(chromedp.CSS("#one-a .pages button:last-child")))
	b.want(`visible().length`, "30")
	b.want(`document.querySelector("#one-a .pages span").textContent`, "Rows 101 to 130 of 130")
	b.want(`document.querySelector("#one-a .pages button:last-child").disabled`, "true")

	// Numbers sort as numbers, sizes by their bytes, once more the other way, and then as it was.
	sizes := `[...document.querySelectorAll("#one-a tbody tr")].map(r => +r.cells[1].dataset.v)`
	sorted := func(sign string) string { return sizes + `.every((v, i, a) => !i || ` + sign + `(a[i-1] - v) <= 0)` }
	head := "#one-a th:nth-child(2)"
	b.want(sorted("+"), "false")
	b.do(chromedp.Click(chromedp.CSS(head + " button")))
	b.want(sorted("+"), "true")
	b.want(`document.querySelector("`+head+`").getAttribute("aria-sort")`, "ascending")
	b.do(chromedp.Click(chromedp.CSS(head + " button")))
	b.want(sorted("-"), "true")
	b.want(`document.querySelector("`+head+`").getAttribute("aria-sort")`, "descending")
	b.do(chromedp.Click(chromedp.CSS(head + " button")))
	b.want(`visible().slice(0, 3).join()`, "0,1,2")
	b.want(`document.querySelectorAll("[aria-sort]").length`, "0")

	// By keyboard: a button in the header is reached and pressed as any other.
	b.eval(`document.querySelector("#one-a th:nth-child(1) button").focus()`)
	b.do(chromedp.KeyEvent("\r"), chromedp.KeyEvent("\r"))
	b.want(`visible()[0]`, "129")

	b.do(chromedp.SendKeys(chromedp.CSS("#one-a input"), "/12"))
	b.want(`visible().join()`, "129,128,127,126,125,124,123,122,121,120,12")
	b.want(`document.querySelector("#one-a .tools output").textContent`, "11 of 130 rows here hold “/12”")

	// Printed are all rows that the filter takes, whatever their page, and no controls.
	b.eval(`(i => { i.value = ""; i.dispatchEvent(new Event("input")) })(document.querySelector("#one-a input"))`)
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	must(t, err)
	b.want(`visible().length`, "130")
	b.want(`document.querySelector("#one-a input").offsetParent`, "null")
	b.want(`document.querySelectorAll("caption, th[scope=col]").length > 10`, "true")
}

// point moves the pointer to a place inside of an element, in parts of its size, and gives
// what the picture then tells.
func (b *browser) point(figure, element string, x, y float64) string {
	b.Helper()
	b.eval(fmt.Sprintf("document.querySelector(%q).scrollIntoView({block: 'center'})", element))
	var px, py float64
	_, err := fmt.Sscan(b.eval(fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return (r.left + r.width * %g) + " " + (r.top + r.height * %g) })()`, element, x, y)), &px, &py)
	must(b, err)
	b.do(chromedp.MouseEvent(chromedp.MouseMoved, px, py))
	return b.eval(fmt.Sprintf("document.querySelector(%q).textContent", figure+" .point"))
}

func TestBrowserPictures(t *testing.T) {
	b := openDocument(t, sample(3))
	for _, figure := range []string{".cells", ".histogram", ".treemap", ".graph"} {
		b.want(fmt.Sprintf(`(r => r.width > 100 && r.height > 20)(document.querySelector(%q).getBoundingClientRect())`, figure+" svg"), "true")
		b.want(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(p => p.getBBox().width > 50)`, figure+" svg path, "+figure+" svg rect"), "true")
		b.want(fmt.Sprintf(`(s => s.getAttribute("role") + s.getAttribute("aria-labelledby").split(" ").map(i => document.getElementById(i).textContent ? 1 : 0).join(""))(document.querySelector(%q))`, figure+" svg"), "img11")
	}
	for _, tt := range []struct {
		figure, element string
		x, y            float64
		want            string
	}{
		{".cells", ".cells svg", 0.5 / 64, 0.125, "Block 1, group 0: free"},
		{".cells", ".cells svg", 37.5 / 64, 0.375, "Block 102, group 1: used"},
		{".treemap", ".treemap .item:last-of-type rect", 0.5, 0.5, "c: 10"},
		{".graph", ".graph .k2 rect", 0.5, 0.5, "it is missing"},
		{".graph", ".graph .k0 rect", 0.5, 0.5, evil},
	} {
		if got := b.point(tt.figure, tt.element, tt.x, tt.y); got != tt.want {
			t.Errorf("%s tells %q, want %q", tt.element, got, tt.want)
		}
	}
	b.want(`document.querySelectorAll(".graph .arrow.hot").length`, "1")
	if got := b.point(".histogram", ".histogram svg.main", 0.001, 0.5); !strings.HasPrefix(got, "2025-03-01 09:00:00 to 2025-03-01 ") || !strings.Contains(got, "modified ") {
		t.Errorf("the first bar tells %q", got)
	}

	// By keyboard.
	b.eval(`document.querySelector(".cells .stage").focus()`)
	b.do(chromedp.KeyEvent("\u0304"), chromedp.KeyEvent("\u0301")) // end, down: stays
	b.eval(`document.querySelector(".cells .stage").dispatchEvent(new KeyboardEvent("keydown", {key: "Home"}))`)
	b.want(`document.querySelector(".cells .point").textContent`, "Block 1, group 0: free")
	b.eval(`document.querySelector(".cells .stage").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}))`)
	b.want(`document.querySelector(".cells .point").textContent`, "Block 2, group 0: used")

	// The brush: drag over the first half of the strip.
	b.eval(`document.querySelector(".histogram .brush").scrollIntoView({block: "center"})`)
	before := b.eval(`document.querySelector(".histogram .bars path").getAttribute("d")`)
	var left, top, width float64
	_, err := fmt.Sscan(b.eval(`(r => r.left + " " + (r.top + 10) + " " + r.width)(document.querySelector(".strip").getBoundingClientRect())`), &left, &top, &width)
	must(t, err)
	b.do(chromedp.DragAndDropXY(left+1, top, left+width/2, top))
	if after := b.eval(`document.querySelector(".histogram .bars path").getAttribute("d")`); after == before {
		t.Error("dragging in the strip changes nothing")
	}
	shown := b.eval(`document.querySelector(".histogram .shown").textContent`)
	if !strings.Contains(shown, "Shown: 2025-03-01 09:0") || !strings.Contains(shown, " to 2025-03-02 ") || !strings.Contains(shown, "--since 2025-03-01T09:0") {
		t.Errorf("after dragging over half of the strip: %s", shown)
	}
	b.eval(`(e => { e.value = e.max; e.dispatchEvent(new Event("input")) })(document.querySelector(".ranges input:last-of-type"))`)
	if now := b.eval(`document.querySelector(".histogram .shown").textContent`); now == shown {
		t.Error("the range inputs change nothing")
	}
}

func TestBrowserThemes(t *testing.T) {
	b := openDocument(t, sample(3))
	ground := `getComputedStyle(document.body).backgroundColor`
	light := b.eval(ground)
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	must(t, err)
	dark := b.eval(ground)
	if light != "rgb(255, 255, 255)" || dark == light {
		t.Errorf("light is %s, dark is %s", light, dark)
	}
	b.do(chromedp.Click(chromedp.CSS("#theme")))
	b.want(ground, light)
	b.do(chromedp.Click(chromedp.CSS("#theme")))
	b.want(ground, dark)
	// Nothing is wider than a telephone but what scrolls by itself.
	b.do(chromedp.EmulateViewport(390, 800))
	b.want(`document.documentElement.scrollWidth`, "390")
}

// TestBrowserHostile opens the report of an image whose names want to be markup.
func TestBrowserHostile(t *testing.T) {
	mke2fs, gotool := exttest.Tool(t, "mke2fs"), exttest.Tool(t, "go")
	exttest.Tool(t, "chromium")
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for _, name := range []string{`<img src=x onerror=alert(1)>`, `<script>alert(1)<`, `" onmouseover="alert(1)`, `javascript:alert(1)`, "\u202egnp.exe", "<title><h1>"} {
		must(t, os.MkdirAll(filepath.Join(tree, name, name), 0o755))
		must(t, os.Symlink(`</script><script>alert(1)</script>`+name, filepath.Join(tree, name, name, "link "+name)))
		must(t, os.WriteFile(filepath.Join(tree, name, name, "file "+name), make([]byte, 5000), 0o600))
	}
	image, program, file := filepath.Join(dir, `<b onclick=alert(1)>`), filepath.Join(dir, "extscope"), filepath.Join(dir, "report.html")
	for _, args := range [][]string{
		{mke2fs, "-q", "-t", "ext4", "-L", "</style><b>", "-d", tree, image, "8M"},
		{gotool, "build", "-o", program, "github.com/extscope/extscope/cmd/extscope"},
		{program, "report", image, "-o", file, "--title", `</title><script>alert(1)</script>`, "--examiner", `<img src=x onerror=alert(1)>`},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	b := open(t, file)
	b.want(`document.scripts.length`, "2")
	b.want(`document.querySelectorAll("img, b, iframe, object, h1 ~ h1, [onerror], [onmouseover], [onclick], [href^=javascript]").length`, "0")
	b.want(`document.querySelector("h1").textContent`, `</title><script>alert(1)</script>`)
	b.want(`document.body.textContent.includes("link <img src=x onerror=alert(1)>")`, "true")
	b.want(`document.body.textContent.includes("\u202e")`, "false")
}

// TestBrowserPolicy puts into a page what escaping keeps out of it: the policy stops it.
func TestBrowserPolicy(t *testing.T) {
	page := written(t, sample(3))
	bad := `<script>window.ran = 1</script><img src="x.png" onerror="window.ran = 2"><p id="p" style="color: red">x</p><iframe src="https://example.org/"></iframe></main>`
	file := filepath.Join(t.TempDir(), "report.html")
	must(t, os.WriteFile(file, []byte(strings.Replace(page, "</main>", bad, 1)), 0o600))
	b := open(t, file)
	b.refuses = true
	b.want(`window.ran`, "undefined")
	b.want(`getComputedStyle(document.getElementById("p")).color === "rgb(255, 0, 0)"`, "false")
}
