/*
 * Takes the pictures: `node shoot.mjs SCENE URL FOLDER`. Logs in as a person would, by the form.
 *
 * The scenes are `newcomer` (the discovered rig and the form for its key) and `house` (everything
 * after that). Each picture is taken light and dark, or at the width of a phone.
 */
import { chromium } from "playwright-core";

const [scene, url, folder] = process.argv.slice(2);
const DESKTOP = { width: 1440, height: 1000 };
const PHONE = { width: 412, height: 915 };
const LOOKS = [
  { suffix: "light", viewport: DESKTOP, colorScheme: "light" },
  { suffix: "dark", viewport: DESKTOP, colorScheme: "dark" },
  { suffix: "phone", viewport: PHONE, colorScheme: "light", deviceScaleFactor: 2 },
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** Return a page that is logged in; what the browser complains about is printed. */
async function logIn(look) {
  const context = await browser.newContext(look);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && console.error("console:", message.text(), message.location().url));
  page.on("pageerror", (error) => console.error("page:", error.message));
  await page.goto(url);
  await page.locator("input[name=username]").fill("demo");
  await page.locator("input[name=password]").fill("demo");
  await page.keyboard.press("Enter");
  await page.waitForSelector("home-assistant-main", { timeout: 60_000 });
  return page;
}

/** Open a path and let it settle: cards load in pieces and animate in. */
async function open(page, path, settle_ms = 4000) {
  await page.goto(url + path);
  await page.waitForSelector("home-assistant-main", { timeout: 60_000 });
  await page.waitForTimeout(settle_ms);
}

const shot = (page, name, look, options = {}) =>
  page.screenshot({ path: `${folder}/${name}-${look.suffix}.png`, ...options });

/** Take a picture as high as the page's content. */
async function whole(page, name, look) {
  const height = await page.evaluate(() => {
    const seen = [];
    const walk = (node) => {
      for (const element of node.querySelectorAll("*")) {
        if (element.matches("hui-sections-view, hui-view, hui-masonry-view")) seen.push(element.scrollHeight);
        if (element.shadowRoot) walk(element.shadowRoot);
      }
    };
    walk(document);
    return Math.max(0, ...seen) + 64;
  });
  await page.setViewportSize({ ...look.viewport, height: Math.max(look.viewport.height, Math.min(height, 6000)) });
  await page.waitForTimeout(1500);
  await shot(page, name, look);
  await page.setViewportSize(look.viewport);
}

async function newcomer(look) {
  const page = await logIn(look);
  await open(page, "/config/integrations/dashboard");
  await shot(page, "discovered", look);
  await page.getByRole("button", { name: /^(add|configure)$/i }).first().click();
  await page.waitForTimeout(2500);
  await shot(page, "key", look);
  await page.context().close();
}

async function house(look) {
  const page = await logIn(look);
  await open(page, "/hashcenter");
  for (const words of ["Stop all", "Can answer", "Is anything wrong?", "Heat request", "GPU 1", "Living room", "Basement socket", "Our heat"])
    await page.getByText(words).first().waitFor({ timeout: 30_000 });
  if (await page.locator("hui-error-card").count()) throw new Error("the dashboard shows an error card");
  await shot(page, "dashboard", look);
  await whole(page, "dashboard-whole", look);
  await open(page, "/hashcenter", 1500);
  await page.keyboard.press("a");
  await page.waitForTimeout(2000);
  await page.keyboard.type("Why is a computer as good a heater as any other?");
  await page.keyboard.press("Enter");
  await page.waitForTimeout(1200);
  await shot(page, "assist-streaming", look);
  await page.waitForTimeout(9000);
  await shot(page, "assist", look);
  await open(page, "/config/integrations/integration/hashcenter");
  await shot(page, "integration", look);
  for (const [part, field] of [["room", "Thermometer"], ["circuit", "Volts"]]) {
    await open(page, "/config/integrations/integration/hashcenter", 2000);
    await page.getByRole("button", { name: `Add ${part}` }).click();
    await page.getByText(field).first().waitFor({ timeout: 30_000 });
    await page.waitForTimeout(1500);
    await shot(page, part, look);
  }
  await open(page, "/energy", 3000);
  await shot(page, "energy", look);
  await page.context().close();
}

try {
  for (const look of LOOKS) await (scene === "newcomer" ? newcomer : house)(look);
} finally {
  await browser.close();
}
