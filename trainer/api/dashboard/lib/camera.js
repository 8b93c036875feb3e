// Images from the camera of this device.

import { actionButton } from "./action.js";
import { errorBox, h, replace } from "./dom.js";

/** Buttons that open the camera and take images (each a File given to `take`) until it is closed. */
export function camera(take, signal) {
  const place = h("div", { class: "slot" });
  const trouble = h("div", { class: "slot" });
  let stream = null;
  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    place.replaceChildren();
  };
  signal.addEventListener("abort", close);
  const open = async () => {
    close();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      const hint = "Allow the camera for this page, or choose an image instead.";
      replace(trouble, errorBox({ message: `The camera cannot be used: ${error.message}.`, hint }));
      return;
    }
    if (signal.aborted) return close();
    const video = h("video", { autoplay: true, playsinline: true, class: "camera", "aria-label": "What the camera sees" });
    video.srcObject = stream;
    const shoot = actionButton("Take the image", async () => take(await frame(video)), { trouble, class: "primary" });
    replace(place, video, h("div", { class: "actions" }, shoot, h("button", { type: "button", onclick: close }, "Close the camera")));
    shoot.focus();
  };
  return { button: opener(open, take, trouble), place: [trouble, place] };
}

/** A button for the camera; where a page may not have it (no https), the phone's own camera app. */
function opener(open, take, trouble) {
  if (navigator.mediaDevices) return actionButton("Use the camera", open, { trouble });
  const input = h("input", { type: "file", accept: "image/*", capture: "environment", class: "visually-hidden", id: "shot" });
  input.addEventListener("change", () => [...input.files].forEach(take));
  return h("span", { class: "file" }, input, h("label", { for: "shot", class: "button" }, "Use the camera"));
}

async function frame(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("The camera has no image yet.");
  return new File([blob], "camera.png", { type: "image/png" });
}
